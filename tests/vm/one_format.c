/*
 * Shows a program that one pixel format of a V4L2 camera which ONE_FORMAT names (NV12, say), as if the camera had no
 * other. Put in front of libc by LD_PRELOAD, for a program that makes its ioctl calls by syscall(2), as the crate v4l
 * does: vivid offers every format at once, and a camera of the real world often just one.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/videodev2.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

typedef long call(long number, ...);

static long one_format(call *next, long fd, struct v4l2_fmtdesc *asked, const char *wanted)
{
    if (asked->index != 0) {
        errno = EINVAL;
        return -1;
    }
    for (__u32 index = 0;; index++) {
        struct v4l2_fmtdesc found = {.index = index, .type = asked->type};
        if (next(SYS_ioctl, fd, (long)VIDIOC_ENUM_FMT, &found) != 0)
            return -1;
        if (memcmp(&found.pixelformat, wanted, sizeof found.pixelformat) == 0) {
            found.index = 0;
            *asked = found;
            return 0;
        }
    }
}

long syscall(long number, ...)
{
    static call *next;
    if (!next)
        next = (call *)dlsym(RTLD_NEXT, "syscall");
    long rest[6];
    va_list list;
    va_start(list, number);
    for (int at = 0; at < 6; at++)
        rest[at] = va_arg(list, long);
    va_end(list);
    const char *wanted = getenv("ONE_FORMAT");
    if (number == SYS_ioctl && (unsigned long)rest[1] == VIDIOC_ENUM_FMT && wanted && strlen(wanted) == 4)
        return one_format(next, rest[0], (struct v4l2_fmtdesc *)rest[2], wanted);
    return next(number, rest[0], rest[1], rest[2], rest[3], rest[4], rest[5]);
}
