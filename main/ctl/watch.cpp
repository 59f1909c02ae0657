#include "main/ctl/watch.hpp"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <cstdio>
#include <string>

#include "main/ctl/status_screen.hpp"
#include "main/ctl/watch_screen.hpp"
#include "messages/wire_status.hpp"

namespace cmirror::ctl {
namespace {

volatile sig_atomic_t stop_asked = 0;

volatile sig_atomic_t pause_asked = 0;

void ask_to_stop(int) {
    stop_asked = 1;
}

void ask_to_pause(int) {
    pause_asked = 1;
}

/// Only wakes who waits.
void look_again(int) {}

void on_signal(int number, void (*handler)(int)) {
    struct sigaction action {};
    action.sa_handler = handler;
    ::sigaction(number, &action, nullptr);
}

/// The terminal's second screen, with keys as they are typed; as it was before when this ends.
class Screen {
  public:
    Screen() : there_(::isatty(STDOUT_FILENO) == 1) {
        on_signal(SIGINT, ask_to_stop);
        on_signal(SIGTERM, ask_to_stop);
        if (!there_) return;
        on_signal(SIGTSTP, ask_to_pause);
        on_signal(SIGWINCH, look_again);
        keys_ = ::tcgetattr(STDIN_FILENO, &before_) == 0;
        enter();
    }
    Screen(const Screen&) = delete;
    Screen& operator=(const Screen&) = delete;
    ~Screen() {
        if (there_) leave();
    }

    std::size_t width() const {
        constexpr std::size_t usual = 80;
        const auto columns = size().ws_col;
        return columns > 0 ? columns : usual;
    }
    void show(const std::string& text) const {
        if (!there_) return write(text);
        // From the top left, each line cleared to its end, and what is below: nothing flickers.
        const auto rows = size().ws_row;
        std::string out = "\x1b[H";
        for (const char c : fit_screen(text, width(), rows > 0 ? rows : 24))
            out += c == '\n' ? std::string("\x1b[K\r\n") : std::string(1, c);
        write(out + "\x1b[K\x1b[J");
    }
    /// False: it is time to end.
    bool wait(std::chrono::milliseconds time) const {
        pollfd input{STDIN_FILENO, POLLIN, 0};
        const int ready = ::poll(&input, keys_ ? 1 : 0, static_cast<int>(time.count()));
        if (stop_asked != 0) return false;
        if (pause_asked != 0) pause();
        if (ready <= 0) return true;
        char key = 0;
        return ::read(STDIN_FILENO, &key, 1) == 1 && key != 'q';
    }

  private:
    winsize size() const {
        winsize size{};
        if (there_) ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
        return size;
    }
    void enter() const {
        if (keys_) {
            termios raw = before_;
            raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
            ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
        }
        write("\x1b[?1049h\x1b[?25l");
    }
    void leave() const {
        write("\x1b[?25h\x1b[?1049l");
        if (keys_) ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
    }
    /// Until the shell continues it.
    void pause() const {
        leave();
        pause_asked = 0;
        ::raise(SIGSTOP);
        enter();
    }
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
        const auto mirrors = snapshot ? mirrors_of(context, *snapshot, AskLegs::of_those_out_of_sync) : LocalMirrors{};
        if (context.json)
            screen.show(snapshot ? status_document(pack_status(*snapshot), *snapshot, mirrors, Indent::one_line)
                                 : silence_document(context, snapshot.error(), Indent::one_line));
        else
            screen.show(snapshot ? watch_screen(*snapshot, mirrors, {screen.width(), context.colour})
                                 : snapshot.error() + "\n");
        if (std::ferror(stdout) != 0) break;
        code = !snapshot ? code_of_silence(context) : problems_of(*snapshot, mirrors).empty() ? success : failed;
    } while (screen.wait(interval));
    return code;
}

}  // namespace cmirror::ctl
