#include "tests/sim/checker.hpp"
#include "tests/sim/checkers/answers.hpp"
#include "tests/sim/checkers/copies.hpp"
#include "tests/sim/checkers/durable_flush.hpp"
#include "tests/sim/checkers/equal_states.hpp"
#include "tests/sim/checkers/legs.hpp"
#include "tests/sim/checkers/settles.hpp"

namespace cmirror::sim {

std::vector<std::unique_ptr<Checker>> all_checkers(World& world) {
    std::vector<std::unique_ptr<Checker>> all;
    all.push_back(std::make_unique<LegsChecker>(world));
    all.push_back(std::make_unique<EqualStatesChecker>(world));
    all.push_back(std::make_unique<CopiesChecker>(world));
    all.push_back(std::make_unique<AnswersChecker>(world));
    all.push_back(std::make_unique<DurableFlushChecker>(world));
    all.push_back(std::make_unique<HintChecker>(world));
    all.push_back(std::make_unique<ReadsChecker>(world));
    all.push_back(std::make_unique<BoundsChecker>(world));
    all.push_back(std::make_unique<SettlesChecker>(world));
    return all;
}

}  // namespace cmirror::sim
