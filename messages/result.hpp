// The one result type of the project: a value, or the reason why there is none.
#pragma once

#include <tl/expected.hpp>

namespace cmirror {

template <class Value, class Error>
using Result = tl::expected<Value, Error>;

template <class Error>
using Failure = tl::unexpected<Error>;

}  // namespace cmirror
