/*
 * wakes - what it costs that a thread sleeps in poll() and another one wakes it:
 * two threads ring each other's eventfd in turn.  Prints the CPU time of a wake
 * in microseconds, of both threads together by the number of wakes.
 *
 *   wakes COUNT [CORE CORE]      of the two threads; without them the kernel chooses
 */
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

static int bell[2];
static long count;
static int core[2] = {-1, -1};

/* Rings the other one's bell for each ring of its own. */
static void *answer(void *own)
{
    int me = own == &bell[1];
    struct pollfd p = {.fd = bell[me], .events = POLLIN};
    uint64_t n, one = 1;
    cpu_set_t set;
    CPU_ZERO(&set);
    if (core[me] >= 0) CPU_SET((unsigned)core[me], &set);
    if (core[me] >= 0 && sched_setaffinity(0, sizeof set, &set)) exit(1);
    for (long i = 0; i < count; i++) {
        poll(&p, 1, -1);
        if (read(bell[me], &n, 8) != 8 || write(bell[!me], &one, 8) != 8) exit(1);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    count = argc > 1 ? atol(argv[1]) : 0;
    if (count < 1) return 2;
    if (argc > 3) core[0] = atoi(argv[2]), core[1] = atoi(argv[3]);
    pthread_t other;
    struct timespec t;
    uint64_t one = 1;
    for (int i = 0; i < 2; i++) if ((bell[i] = eventfd(0, EFD_NONBLOCK)) < 0) return 1;
    if (pthread_create(&other, NULL, answer, &bell[1]) || write(bell[1], &one, 8) != 8) return 1;
    answer(&bell[0]);
    pthread_join(other, NULL);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    printf("%.3f\n", (t.tv_sec * 1e6 + t.tv_nsec / 1e3) / (2.0 * count));
    return 0;
}
