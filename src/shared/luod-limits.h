/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* All limits and constants in one place. Sizes in bytes, times in microseconds unless named otherwise. What luod.conf can
 * change (the table in config.c) is marked by the name of its key: what stands here is what holds without it, and where a
 * format or an array is made for it also the most that can be set. */

/* Longest name of a session and longest label, without the NUL. LIVEUPDATE_SESSION_NAME_LENGTH of the kernel
 * (include/uapi/linux/liveupdate.h) is 64 with the NUL; luod's own names are held to the same. */
#define NAME_LENGTH_MAX 63U
#define LABEL_LENGTH_MAX 63U
#define METADATA_KEY_MAX 63U
/* Longest name of an object that is taken from a driver's fdinfo; one with a longer name goes by its open file. */
#define OBJECT_NAME_MAX 191U

/* Metadata of one session: bytes of keys and values together, and number of keys. Each key counts for
 * METADATA_KEY_COST bytes more in the limits of a user and of all: it costs that much in the ledger. */
#define METADATA_KEY_COST 160U
#define METADATA_SIZE_MAX (64U * 1024U)
#define METADATA_KEYS_MAX 256U

/* Files in one session. The kernel has no limit from 7.2 on. */
#define FILES_PER_SESSION_MAX 1024U
/* Files in all; with METADATA_SIZE_TOTAL this bounds what the ledger must hold (LEDGER_HALF_SIZE). Files= may only be
 * less. */
#define FILES_MAX 8192U
#define METADATA_SIZE_TOTAL (1024U * 1024U)
/* What one user other than root may have, and all users together (quota.h): *PerUser= and the same without that. Sessions= and
 * PartsPerUser= can be at most PARTS_MAX, as each session needs a part. What is kept is pinned memory: in percent of the
 * host's. */
#define SESSIONS_PER_USER_MAX 256U
#define PARTS_PER_USER_MAX 400U
#define FILES_PER_USER_MAX 4096U
#define METADATA_SIZE_PER_USER (512U * 1024U)
#define KEPT_PER_USER_PERCENT 50U
#define KEPT_PERCENT 90U

/* Files in one kernel session: 6.19 to 7.1 take 128 (and luod keeps index pages of its own in it). */
#define FILES_PER_PART_MAX 120U

/* Calls in flight: per session, of one user (CallsPerUser=), and in all (Calls=, which may only be less). Jobs are those
 * calls, and what luod does of its own accord. */
#define JOBS_PER_SESSION_MAX 64U
#define CALLS_IN_FLIGHT_PER_USER_MAX 256U
#define CALLS_IN_FLIGHT_MAX 1024U
#define CALLS_IN_FLIGHT_LEAST 16U
#define JOBS_MAX 2048U
/* Identify(), of one user and in all: each may take a child. */
#define IDENTIFICATIONS_PER_USER_MAX 8U
#define IDENTIFICATIONS_MAX 64U
/* File descriptors that are being handed in, of one user (FileDescriptorsPerUser=) and in all (FileDescriptors=); each is held up
 * to FDS_PER_FD times until its call is answered. Where LimitNOFILE= of luod.service is too low for what all limits may come to
 * there are less of them (usage.c), so that luod always has some free: FDS_OF_LUOD or an eighth of that limit are luod's own. */
#define FDS_IN_FLIGHT_PER_USER_MAX 1024U
#define FDS_IN_FLIGHT_MAX 4096U
#define FDS_PER_FD 3U
#define FDS_OF_LUOD 128U

/* Those on the bus of whom luod remembers who they are, and calls that wait until that is known: of one, and in all. */
#define SENDERS_MAX 1024U
#define CALLS_HELD_PER_SENDER_MAX 64U
#define CALLS_HELD_MAX 1024U

/* Locks against a live update: of one user (LocksPerUser=), and in all (Locks=; each is an fd in luod). Bytes of who and
 * why. */
#define LOCKS_PER_USER_MAX 64U
#define LOCKS_MAX 512U
#define LOCK_TEXT_MAX 255U

/* What dbus-daemon lets through in one message; more cuts off the sender. */
#define FDS_PER_REPLY_MAX 16U
/* SCM_MAX_FD: more cannot come in one message. */
#define FDS_PER_CALL_MAX 253U

/* Kernel sessions that luod has at the most: systemd's fd store gets slow past 1000 and daemon-reexec with
 * 3000 stored fds froze PID 1. All N of luod-a-N and luod-b-N are below PART_NUMBER_END so that every name
 * can be tried when nothing else is known. Parts= may only be less, but the spares and the ledgers of two boots need
 * some. */
#define PARTS_MAX 1000U
#define PARTS_LEAST 16U
#define PART_NUMBER_END 1024U

/* Spare kernel sessions: ready ones, in custody (CreateSession takes one), and bare ones, known to luod alone
 * (PreserveMany takes one, so that its failure leaves nothing behind). */
#define POOL_READY_TARGET 8U
#define POOL_BARE_TARGET 2U

/* How long an open() of /dev/liveupdate is tried again on EBUSY before DeviceBusy is the answer: BusyTimeout=. A start
 * waits that long in its event loop, twice at the worst, and must be through before systemd takes it for hung
 * (WatchdogSec= and TimeoutStartSec= in luod.service). Nor can it be next to nothing: luod's own children have the
 * device open for a moment, too. What waits for the end of a kernel session goes by the time that stands here. */
#define DEVICE_BUSY_TIMEOUT_USEC (5ULL * 1000 * 1000)
#define DEVICE_BUSY_TIMEOUT_LEAST_USEC (100ULL * 1000)
#define DEVICE_BUSY_TIMEOUT_MAX_USEC (60ULL * 1000 * 1000)
#define DEVICE_BUSY_RETRY_FIRST_USEC 1000ULL
#define DEVICE_BUSY_RETRY_MAX_USEC 100000ULL
/* How long a PID 1 at work is waited for, before each open(); and how often it is looked at. */
#define DEVICE_PID1_BUSY_MAX_USEC (200ULL * 1000)
#define DEVICE_PID1_BUSY_RETRY_USEC 1000ULL

/* Renewals that luod sees to itself: how many at once, the first and the longest pause after one that failed, and after how many
 * failures a live update is not held off any longer. */
#define RENEWALS_AT_ONCE 4U
#define RENEWAL_RETRY_USEC (1000ULL * 1000)
#define RENEWAL_RETRY_MAX_USEC (60ULL * 1000 * 1000)
#define RENEWAL_TRIES 3U

/* How long a call waits for a spare kernel session or for custody before it is refused. */
#define RESOURCE_TIMEOUT_USEC (10ULL * 1000 * 1000)

/* How long those who take part in a live update are waited for: PrepareTimeout=. Where a shutdown is not luod's own, it is
 * less: as long as logind waits (InhibitDelayMaxSec=, or LOGIND_DELAY_MAX_USEC where it does not say) but a
 * LOGIND_DELAY_RESERVE'th part of it, and in luod's stop job what is well below TimeoutStopSec= of luod.service. */
#define PREPARE_TIMEOUT_USEC (60ULL * 1000 * 1000)
#define PREPARE_TIMEOUT_LEAST_USEC (100ULL * 1000)
#define PREPARE_TIMEOUT_MAX_USEC (24ULL * 3600 * 1000 * 1000)
#define LOGIND_DELAY_MAX_USEC (5ULL * 1000 * 1000)
#define LOGIND_DELAY_RESERVE 5U
#define STOP_PREPARE_MAX_USEC (30ULL * 1000 * 1000)

/* How long luod's stop waits for the renewal of what the jump would lose; with the one above well below TimeoutStopSec=. */
#define STOP_SAVE_MAX_USEC (60ULL * 1000 * 1000)

/* How often it is looked whether a kernel was loaded, while the lack of one forbids a reboot. */
#define PROTECT_LOOK_USEC (1000ULL * 1000)
#define PROTECT_LOOK_OFTEN_USEC (20ULL * 1000)
#define PROTECT_OFTEN_USEC (5ULL * 1000 * 1000)
#define PROTECT_GRACE_USEC (30ULL * 1000 * 1000)

/* The ledger's file: two halves. Fuzzers, which make thousands of them, are built with smaller ones. */
#ifndef LEDGER_HALF_SIZE
#define LEDGER_HALF_SIZE (8U * 1024U * 1024U)
#endif
/* What new files, sessions and metadata leave free for what must always be writable: states and ends. */
#define LEDGER_RESERVE (512U * 1024U)
#define LEDGER_FILE_SIZE (2U * LEDGER_HALF_SIZE)

/* What a PRESERVE may leave of the free memory when it fills holes (a sparse file beyond it would run the
 * whole machine out of memory, see facts in docs/architecture.md): MemoryReserve=. */
#define MEMORY_RESERVE (64ULL * 1024 * 1024)
#define MEMORY_RESERVE_MAX (1ULL << 50)

/* Processes that are looked at for whether owners of sessions live; with more it is not known. */
#define PROCESSES_MAX 32768U
#define PROCESSES_LOOK_MAX_USEC (20ULL * 1000)
/* ... and how often. */
#define OWNERS_SEEN_USEC (1000ULL * 1000)

/* The configuration: bytes of one file, bytes of one line, files in all, and messages about what is wrong with them. */
#define CONFIG_FILE_MAX (256U * 1024U)
#define CONFIG_LINE_MAX 4096U
#define CONFIG_DROP_INS_MAX 256U
#define CONFIG_MESSAGES_MAX 64U

/* Looking into a kernel image: what is read of it, what comes out of it unpacked, how much memory unpacking may take (its
 * dictionary: 128 MiB is the most that a kernel is packed with), and how long. What is beyond is "unknown". */
#define KERNEL_IMAGE_SIZE_MAX (256ULL * 1024 * 1024)
#define KERNEL_UNPACKED_SIZE_MAX (1024ULL * 1024 * 1024)
#define UNPACK_MEMORY_MAX (160ULL * 1024 * 1024)
#define KERNEL_LOOK_TIMEOUT_USEC (60ULL * 1000 * 1000)
/* A kernel's configuration, packed and as text. */
#define KERNEL_CONFIG_PACKED_MAX (512U * 1024U)
#define KERNEL_CONFIG_SIZE_MAX (4U * 1024U * 1024U)
/* What kexec_file_load() takes on no architecture in more (COMMAND_LINE_SIZE). */
#define KERNEL_CMDLINE_MAX 4096U

/* Reports of live updates: how many are kept (Keep=), and bytes of one. */
#define REPORTS_KEEP 10U
#define REPORTS_KEEP_MAX 1000U
#define REPORT_DELAYS_MAX 1024U
#define REPORT_SIZE_MAX (16 * 1024 * 1024)
/* How long claims and ends of sessions are gathered before they are written. */
#define REPORT_WRITE_DELAY_USEC (500ULL * 1000)
/* So long an update waits at its hand-over for the disk to have the report. */
#define REPORT_SYNC_MAX_USEC (3000ULL * 1000)
