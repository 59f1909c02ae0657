#include "main/ctl/watch.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "main/ctl/watch_screen.hpp"
#include "messages/wire_status.hpp"

namespace cmirror::ctl {
namespace {

volatile sig_atomic_t stop_asked = 0;

void ask_to_stop(int) {
    stop_asked = 1;
}

/// The terminal's second screen, with keys as they are typed; as it was before when this ends.
class Screen {
  public:
    Screen() : there_(::isatty(STDOUT_FILENO) == 1) {
        struct sigaction action {};
        action.sa_handler = ask_to_stop;
        ::sigaction(SIGINT, &action, nullptr);
        ::sigaction(SIGTERM, &action, nullptr);
        if (!there_) return;
        keys_ = ::tcgetattr(STDIN_FILENO, &before_) == 0;
        if (keys_) {
            termios raw = before_;
            raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
            ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
        }
        write("\x1b[?1049h\x1b[?25l");
    }
    Screen(const Screen&) = delete;
    Screen& operator=(const Screen&) = delete;
    ~Screen() {
        if (!there_) return;
        write("\x1b[?25h\x1b[?1049l");
        if (keys_) ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
    }

    std::size_t width() const {
        winsize size{};
        constexpr std::size_t usual = 80;
        return there_ && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : usual;
    }
    void show(const std::string& text) const {
        if (!there_) return write(text);
        // From the top left, each line cleared to its end, and what is below: nothing flickers.
        std::string out = "\x1b[H";
        for (const char c : text)
            out += c == '\n' ? std::string("\x1b[K\r\n") : std::string(1, c);
        write(out + "\x1b[J");
    }
    /// False: it is time to end.
    bool wait(std::chrono::milliseconds time) const {
        pollfd input{STDIN_FILENO, POLLIN, 0};
        const int ready = ::poll(&input, keys_ ? 1 : 0, static_cast<int>(time.count()));
        if (stop_asked != 0) return false;
        if (ready <= 0) return true;
        char key = 0;
        return ::read(STDIN_FILENO, &key, 1) == 1 && key != 'q';
    }

  private:
    static void write(const std::string& text) {
        std::fwrite(text.data(), 1, text.size(), stdout);
        std::fflush(stdout);
    }

    bool there_;
    bool keys_ = false;
    termios before_{};
};

}  // namespace

int watch(const Context& context, std::chrono::milliseconds interval) {
    Screen screen;
    int code = success;
    do {
        const auto snapshot = snapshot_of(context);
        const auto names = mirror_names(*context.devices);
        if (context.json)
            screen.show(snapshot ? pack_status(*snapshot) + "\n" : "{\"version\":1,\"running\":false}\n");
        else
            screen.show(snapshot ? watch_screen(*snapshot, names, {screen.width(), context.colour})
                                 : snapshot.error() + "\n");
        if (std::ferror(stdout) != 0) break;
        code = !snapshot ? not_running : problems_of(*snapshot, names).empty() ? success : failed;
    } while (screen.wait(interval));
    return code;
}

}  // namespace cmirror::ctl
