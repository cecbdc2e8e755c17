/* Preloaded, sends the process SIGINT when it syncs its first file; each file is then synced as ever. */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

int fsync(int descriptor)
{
    static int calls;
    if (calls++ == 0)
        raise(SIGINT);
    return (int)syscall(SYS_fsync, descriptor);
}
