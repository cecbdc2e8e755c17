/* Where a program's time goes, operation by operation, in a real run. Part of build/NAME-profile alone (`make recipe=NAME profile=1`):
 * its cpu.c is the same text, compiled with -finstrument-functions, so that every function there that is not inline tells when it
 * begins and ends.
 *
 * A thread's time is charged at each such moment to the function that it was in, called as it was: a node of one tree that all threads
 * share. Functions more than DEEPEST calls down are their caller's: operations are the leaves. What a thread waits at a barrier, or
 * thread 0 at the end of a parallel region, is charged apart; the linker leads the calls of libgomp that wait through here (--wrap).
 *
 * Whenever thread 0 leaves the outermost function (a pass, an update, a token), the file that the environment names in
 * LORAC_PROFILE gets
 *
 *     call SECONDS                              of thread 0, since the last such line
 *     node PATH CALLS BUSY WAITING              for each function that ran; seconds, of all threads together
 *
 * PATH is the addresses of functions from the outermost one down, as `nm` prints them, with "/" between them ("-": outside of all).
 * CALLS are thread 0's. Without LORAC_PROFILE nothing is written.
 *
 * Unlike elsewhere there is state of the process here: the compiler's hooks are called with the function's address and nothing else.
 */
#define _GNU_SOURCE

#include "error.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { NODES = 512, THREADS = 1024, DEEPEST = 4, NONE = 0 };

struct node {
    uintptr_t function;
    int parent, depth;
    _Atomic int first_child;
    int next_sibling;
};

struct tally {
    int64_t calls, busy, waiting; /* nanoseconds */
};

/* One thread: the node that it is in, and how many calls deeper than the tree goes. */
struct thread {
    int node, deeper;
    int64_t last;
    struct tally tallies[NODES];
};

static struct {
    pthread_mutex_t lock; /* of the counts: nodes and threads are added, never taken away */
    struct node nodes[NODES];
    int node_count;
    struct thread *threads[THREADS];
    int thread_count;
    FILE *out;
} profile = {.lock = PTHREAD_MUTEX_INITIALIZER, .node_count = 1};

static _Thread_local struct thread *self;

static int64_t nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static struct thread *new_thread(void)
{
    struct thread *thread = allocate(sizeof *thread, "a profile");
    thread->last = nanoseconds();
    pthread_mutex_lock(&profile.lock);
    CHECK(profile.thread_count < THREADS);
    profile.threads[profile.thread_count++] = thread;
    pthread_mutex_unlock(&profile.lock);
    return thread;
}

/* All that has passed since the last call is the present node's. */
static void charge(struct thread *thread, bool waited)
{
    const int64_t now = nanoseconds();
    struct tally *tally = &thread->tallies[thread->node];
    *(waited ? &tally->waiting : &tally->busy) += now - thread->last;
    thread->last = now;
}

/* ---- the tree ---- */

static int find_child(int parent, uintptr_t function)
{
    int child = atomic_load_explicit(&profile.nodes[parent].first_child, memory_order_acquire);
    while (child != NONE && profile.nodes[child].function != function)
        child = profile.nodes[child].next_sibling;
    return child;
}

static int add_child(int parent, uintptr_t function)
{
    pthread_mutex_lock(&profile.lock);
    int child = find_child(parent, function);
    if (child == NONE) {
        CHECK(profile.node_count < NODES);
        child = profile.node_count++;
        profile.nodes[child] = (struct node){.function = function,
                                             .parent = parent,
                                             .depth = profile.nodes[parent].depth + 1,
                                             .next_sibling = profile.nodes[parent].first_child};
        atomic_store_explicit(&profile.nodes[parent].first_child, child, memory_order_release);
    }
    pthread_mutex_unlock(&profile.lock);
    return child;
}

/* ---- the file ---- */

extern const char __executable_start;

/* As nm prints it: without the place where the program was loaded. */
static uintptr_t address_in_file(uintptr_t function)
{
#ifdef __PIE__
    return function - (uintptr_t)&__executable_start;
#else
    return function;
#endif
}

static void write_path(int node)
{
    if (profile.nodes[node].parent != NONE) {
        write_path(profile.nodes[node].parent);
        fputc('/', profile.out);
    }
    fprintf(profile.out, "%016lx", (unsigned long)address_in_file(profile.nodes[node].function));
}

static void write_node(int node)
{
    struct tally sum = {.calls = profile.threads[0]->tallies[node].calls};
    for (int i = 0; i < profile.thread_count; i++) {
        struct tally *tally = &profile.threads[i]->tallies[node];
        sum.busy += tally->busy;
        sum.waiting += tally->waiting;
        *tally = (struct tally){0};
    }
    if (sum.busy + sum.waiting == 0)
        return;
    fputs("node ", profile.out);
    if (node == NONE)
        fputc('-', profile.out);
    else
        write_path(node);
    fprintf(profile.out, " %lld %.9f %.9f\n", (long long)sum.calls, (double)sum.busy * 1e-9,
            (double)sum.waiting * 1e-9);
}

static void open_file(void)
{
    const char *path = getenv("LORAC_PROFILE");
    if (path && !profile.out && !(profile.out = fopen(path, "w"))) {
        fprintf(stderr, "LORAC_PROFILE=%s cannot be written\n", path);
        exit(EXIT_FAILED);
    }
}

/* The other threads are at rest: no parallel region is open. */
static void write_call(void)
{
    int64_t total = 0;
    open_file();
    if (!profile.out)
        return;
    for (int node = 0; node < profile.node_count; node++)
        total += profile.threads[0]->tallies[node].busy + profile.threads[0]->tallies[node].waiting;
    fprintf(profile.out, "call %.9f\n", (double)total * 1e-9);
    for (int node = 0; node < profile.node_count; node++)
        write_node(node);
    fflush(profile.out);
}

/* ---- what the compiler calls ---- */

void __cyg_profile_func_enter(void *function, void *from);
void __cyg_profile_func_exit(void *function, void *from);

void __cyg_profile_func_enter(void *function, void *from)
{
    (void)from;
    if (!self)
        self = new_thread();
    if (self->deeper > 0 || profile.nodes[self->node].depth == DEEPEST) {
        self->deeper++;
        return;
    }
    charge(self, false);
    int child = find_child(self->node, (uintptr_t)function);
    self->node = child == NONE ? add_child(self->node, (uintptr_t)function) : child;
    self->tallies[self->node].calls++;
}

void __cyg_profile_func_exit(void *function, void *from)
{
    (void)function;
    (void)from;
    if (self->deeper > 0) {
        self->deeper--;
        return;
    }
    charge(self, false);
    self->node = profile.nodes[self->node].parent;
    if (self->node == NONE && self == profile.threads[0])
        write_call();
}

/* ---- what the linker leads through here ---- */

typedef void region_body(void *data);

struct region {
    region_body *body;
    void *data;
    const struct thread *opener;
    int node;
};

static void run_region(void *data)
{
    const struct region *region = data;
    if (!self)
        self = new_thread();
    if (self != region->opener) {
        self->node = region->node;
        self->deeper = 0;
        self->last = nanoseconds();
    }
    region->body(region->data);
    charge(self, false);
}

void __real_GOMP_parallel(region_body *body, void *data, unsigned threads, unsigned flags);
void __wrap_GOMP_parallel(region_body *body, void *data, unsigned threads, unsigned flags);
void __real_GOMP_barrier(void);
void __wrap_GOMP_barrier(void);
void __real_GOMP_loop_end(void);
void __wrap_GOMP_loop_end(void);

/* Regions of functions that tell nothing, as the runtime's, are left alone. */
void __wrap_GOMP_parallel(region_body *body, void *data, unsigned threads, unsigned flags)
{
    if (!self || self->node == NONE) {
        __real_GOMP_parallel(body, data, threads, flags);
        return;
    }
    struct region region = {body, data, self, self->node};
    charge(self, false);
    __real_GOMP_parallel(run_region, &region, threads, flags);
    charge(self, true);
}

static void wait_in(void (*waiting)(void))
{
    if (self)
        charge(self, false);
    waiting();
    if (self)
        charge(self, true);
}

void __wrap_GOMP_barrier(void)
{
    wait_in(__real_GOMP_barrier);
}

void __wrap_GOMP_loop_end(void)
{
    wait_in(__real_GOMP_loop_end);
}
