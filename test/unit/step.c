/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "step.h"

void *step_memory_new(size_t size) {
        void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

        if (memory == MAP_FAILED)
                abort();
        return memory;
}

void *step_memory_free(void *memory, size_t size) {
        if (memory)
                (void) munmap(memory, size);
        return NULL;
}

static pid_t start_stopped(void *memory, size_t size, step_action_fn action, void *userdata) {
        pid_t pid = fork();

        if (pid != 0)
                return pid;

        (void) prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
                _exit(77);
        (void) raise(SIGSTOP);
        action(memory, size, userdata);
        _exit(0);
}

/* One instruction on; false: the child is gone. */
static bool step(pid_t pid, int *status) {
        if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) < 0)
                return false;
        if (waitpid(pid, status, 0) < 0)
                return false;
        return WIFSTOPPED(*status);
}

static int follow(pid_t pid, void *memory, size_t size, step_check_fn check, void *userdata) {
        char *last = malloc(size), *copy = malloc(size);
        int status = 0, n = 0;

        if (!last || !copy)
                abort();
        memcpy(last, memory, size);

        while (step(pid, &status)) {
                if (memcmp(last, memory, size) == 0)
                        continue;
                memcpy(last, memory, size);
                memcpy(copy, memory, size);
                check(copy, size, /* done= */ false, userdata);
                n++;
        }

        if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
                check(memcpy(copy, memory, size), size, /* done= */ true, userdata);
        else
                n = -ECHILD;
        free(last);
        free(copy);
        return n;
}

int step_through(void *memory, size_t size, step_action_fn action, step_check_fn check, void *userdata) {
        const char *preload = getenv("LD_PRELOAD");
        int status = 0;
        pid_t pid;

        if (preload && strstr(preload, "vgpreload"))
                return -EPERM; /* these would be the instructions of valgrind */

        pid = start_stopped(memory, size, action, userdata);
        if (pid < 0)
                return -errno;
        if (waitpid(pid, &status, 0) < 0)
                return -errno;
        if (!WIFSTOPPED(status))
                return -EPERM;

        return follow(pid, memory, size, check, userdata);
}
