/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <dirent.h>
#include <sys/stat.h>

#include "fuzz.h"

/* Runs a fuzz target over the files, and the files in the directories, that are given. */

int __attribute__((weak)) LLVMFuzzerInitialize(int *argc, char ***argv) {
        return 0;
}

static int run_file(const char *path) {
        _cleanup_(fclosep) FILE *f = fopen(path, "re");
        _cleanup_free_ uint8_t *data = NULL;
        struct stat st;
        size_t n;

        if (!f || fstat(fileno(f), &st) < 0) {
                fprintf(stderr, "%s: %s\n", path, strerror(errno));
                return -1;
        }
        data = malloc((size_t) st.st_size + (st.st_size == 0)); /* of its size: what is read behind it is noticed */
        require(data);
        n = fread(data, 1, (size_t) st.st_size, f);
        fprintf(stderr, "%s: %zu bytes\n", path, n); /* the last one is what failed */
        (void) LLVMFuzzerTestOneInput(data, n);
        return 0;
}

static int is_visible(const struct dirent *de) {
        return de->d_name[0] != '.';
}

static int run_directory(const char *path, unsigned *n_run) {
        struct dirent **entries;
        int n = scandir(path, &entries, is_visible, alphasort), r = 0;

        if (n < 0) {
                fprintf(stderr, "%s: %s\n", path, strerror(errno));
                return -1;
        }
        for (int i = 0; i < n; i++) {
                char file[4096];

                (void) snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name);
                if (r >= 0)
                        r = run_file(file);
                (*n_run)++;
                free(entries[i]);
        }
        free(entries);
        return r;
}

int main(int argc, char **argv) {
        unsigned n_run = 0;

        (void) LLVMFuzzerInitialize(&argc, &argv);
        (void) LLVMFuzzerTestOneInput((const uint8_t *) "", 0);
        for (int i = 1; i < argc; i++) {
                struct stat st;
                bool directory = stat(argv[i], &st) >= 0 && S_ISDIR(st.st_mode);

                if ((directory ? run_directory(argv[i], &n_run) : run_file(argv[i])) < 0)
                        return EXIT_FAILURE;
                n_run += !directory;
        }
        if (n_run == 0) {
                fprintf(stderr, "there is nothing to run\n");
                return EXIT_FAILURE;
        }
        printf("%u inputs\n", n_run);
        return EXIT_SUCCESS;
}
