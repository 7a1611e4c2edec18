/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fd-util.h"
#include "luo-abi.h"
#include "test-util.h"

/* What the kernel itself says, without luod. All sessions and files are gone when it ends. */

static const char help[] =
        "luod-test-raw double SESSION-A SESSION-B same|dup|reopen\n"
        "        creates the sessions (one, if the names are equal), preserves a memfd in A, and then the same\n"
        "        file descriptor, a dup of it, or the memfd opened once more through /proc in B\n"
        "luod-test-raw wrong-direction SESSION finish|retrieve\n"
        "        creates the session, preserves a memfd in it, and calls what is for retrieved sessions.\n"
        "        Where this is accepted the memfd's memory is lost until the next boot!\n"
        "luod-test-raw hold SESSION COMMAND [ARG]...\n"
        "        creates the session, preserves a memfd in it, and becomes COMMAND, with the memfd as fd 3 and\n"
        "        the session held by another fd\n"
        "\n"
        "Prints what came of the last step: accepted, or the name of the errno. Exit status: 0; 2 usage; 3 an\n"
        "earlier step went wrong, which is said on stderr.\n";

/* PID 1 and luod open it now and then, and only one can. */
static int device_open(void) {
        for (unsigned i = 0; i < 100; i++) {
                int fd = open("/dev/liveupdate", O_RDWR | O_CLOEXEC);

                if (fd >= 0)
                        return fd;
                if (errno != EBUSY)
                        break;
                usleep(100 * 1000);
        }
        die("/dev/liveupdate: %s", strerror(errno));
}

static int session_create(const char *name) {
        struct luo_abi_create_session arg = { .size = sizeof(arg) };
        _cleanup_(closep) int device = device_open();

        if (strlen(name) >= sizeof(arg.name))
                usage("The name '%s' is too long", name);
        memcpy(arg.name, name, strlen(name));
        if (ioctl(device, LIVEUPDATE_IOCTL_CREATE_SESSION, &arg) < 0)
                die("Creating session %s: %s", name, strerror(errno));
        return arg.fd;
}

static int preserve(int session, int fd, uint64_t token) {
        struct luo_abi_session_preserve_fd arg = { .size = sizeof(arg), .fd = fd, .token = token };

        return ioctl(session, LIVEUPDATE_SESSION_PRESERVE_FD, &arg) < 0 ? -errno : 0;
}

static int retrieve(int session, uint64_t token) {
        struct luo_abi_session_retrieve_fd arg = { .size = sizeof(arg), .fd = -1, .token = token };

        return ioctl(session, LIVEUPDATE_SESSION_RETRIEVE_FD, &arg) < 0 ? -errno : 0;
}

static int finish(int session) {
        struct luo_abi_session_finish arg = { .size = sizeof(arg) };

        return ioctl(session, LIVEUPDATE_SESSION_FINISH, &arg) < 0 ? -errno : 0;
}

static int preserved_memfd(int session) {
        int r, fd = memfd_create("luod-test-raw", MFD_CLOEXEC);

        if (fd < 0 || write(fd, "content", 7) != 7)
                die("A memfd with content: %s", strerror(errno));
        r = preserve(session, fd, /* token= */ 1);
        if (r < 0)
                die("Preserving a memfd for the first time: %s", strerror(-r));
        return fd;
}

static int second_fd(int fd, const char *kind) {
        char path[64];
        int second;

        if (streq(kind, "same"))
                return fd;
        if (streq(kind, "dup"))
                second = fd_dup(fd);
        else if (streq(kind, "reopen")) {
                (void) snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
                second = open(path, O_RDWR | O_CLOEXEC);
        } else
                usage("'%s' is none of same, dup, reopen", kind);
        if (second < 0)
                die("%s of a memfd: %s", kind, strerror(errno));
        return second;
}

static int verb_double(char **argv) {
        int a = session_create(argv[0]), b = streq(argv[0], argv[1]) ? a : session_create(argv[1]);

        return preserve(b, second_fd(preserved_memfd(a), argv[2]), /* token= */ 2);
}

static int verb_wrong_direction(char **argv) {
        int session = session_create(argv[0]);

        (void) preserved_memfd(session);
        if (streq(argv[1], "finish"))
                return finish(session);
        if (streq(argv[1], "retrieve"))
                return retrieve(session, /* token= */ 1);
        usage("'%s' is none of finish, retrieve", argv[1]);
}

_noreturn_ static void verb_hold(char **argv) {
        int session = session_create(argv[0]), fd = preserved_memfd(session), kept = fcntl(session, F_DUPFD, 10);

        if (kept < 0 || dup2(fd, 3) < 0)
                die("Duplicating the fds: %s", strerror(errno));
        if (fd == 3 && fcntl(fd, F_SETFD, 0) < 0)
                die("fcntl: %s", strerror(errno));
        (void) execvp(argv[1], argv + 1);
        die("%s: %s", argv[1], strerror(errno));
}

int main(int argc, char **argv) {
        int r;

        if (argc >= 4 && streq(argv[1], "hold"))
                verb_hold(argv + 2);

        if (argc == 5 && streq(argv[1], "double"))
                r = verb_double(argv + 2);
        else if (argc == 4 && streq(argv[1], "wrong-direction"))
                r = verb_wrong_direction(argv + 2);
        else
                usage("%s", help);
        puts(r < 0 ? strerrorname_np(-r) : "accepted");
        return EXIT_SUCCESS;
}
