/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz-world.h"

/* Bytes on the wire, as root has a connection and is out of his mind. Pieces, each behind its length (2 bytes); the highest bit
 * of that: an fd comes along. luod may hang up on him, and on nobody else. */

int LLVMFuzzerInitialize(int *argc, char ***argv) {
        fuzz_world_require();
        return 0;
}

static void send_piece(int fd, const uint8_t *bytes, size_t n, int passed) {
        union {
                struct cmsghdr header;
                char space[CMSG_SPACE(sizeof(int))];
        } control = {};
        struct iovec iov = { (void *) bytes, n };
        struct msghdr message = { .msg_iov = &iov, .msg_iovlen = 1 };

        if (passed >= 0) {
                message.msg_control = &control;
                message.msg_controllen = sizeof(control);
                control.header = (struct cmsghdr) { CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
                memcpy(CMSG_DATA(&control.header), &passed, sizeof(int));
        }
        (void) sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT); /* what does not fit, or comes too late, is as if it was never sent */
}

/* sd-bus forgets the fds of a message that it can't make sense of, and the array that they are in (bus_socket_make_message() of
 * systemd 252 to 262). That is not luod's, but there is a limit on how many this process can have. */
const char *__lsan_default_suppressions(void); // NOLINT(bugprone-reserved-identifier)
const char *__lsan_default_suppressions(void) {
        return "leak:libsystemd";
}

static void close_forgotten(int passed) {
        struct stat st, other;

        require(fstat(passed, &st) == 0);
        for (int fd = 3; fd < FAKE_FD_BASE; fd++)
                if (fd != passed && fstat(fd, &other) == 0 && other.st_ino == st.st_ino && other.st_dev == st.st_dev)
                        (void) close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        Input input = { data, size };
        World *w = fuzz_world_new();
        int fd, passed = make_memfd("passed");

        require(world_start(w) == 0);
        require(create(w, ROOT, "s") == 0);
        fd = fcntl(sd_bus_get_fd(w->clients[ROOT].client), F_DUPFD_CLOEXEC, 3);
        require(fd >= 0);
        while (input.size > 0) {
                uint16_t length = (uint16_t) input_number(&input, 2);
                const uint8_t *bytes;
                size_t n;

                bytes = input_bytes(&input, length & 0x7fff, &n);
                if (n > 0)
                        send_piece(fd, bytes, n, length & 0x8000 ? passed : -EBADF);
                world_settle(w);
        }
        safe_close(fd);
        fuzz_world_check(w);
        world_kill(w);
        close_forgotten(passed);
        safe_close(passed);
        fuzz_world_free(w);
        return 0;
}
