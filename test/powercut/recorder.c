// Preloaded into a process (LD_PRELOAD): records what it writes, syncs, names and unnames below one directory, in order, so
// that a test can make the disks that a power cut might have left (disk.ts). Syncs are recorded and not made: nothing here
// needs a real disk.
//   POWERCUT_ROOT    the directory; what lies elsewhere is nobody's business
//   POWERCUT_TRACE   the file that records go to (trace.ts reads them)
//   POWERCUT_ACKS    writes to this name are acknowledgements: they go to the trace alone
//   POWERCUT_BOOT_ID this file is read in place of the kernel's boot id

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { CREATED = 1, WRITTEN, RESIZED, SYNCED, DIRECTORY_SYNCED, RENAMED, UNLINKED, MADE, UNMADE, LINKED, ACKNOWLEDGED };
enum { SECTOR = 512, MAPS = 64 };

// A record of the trace: this, then `text` bytes of one or two paths (the second behind a zero), then `data` bytes.
struct head {
  uint32_t kind, text, data, lasting;
  uint64_t inode, at;
};

// A writable shared mapping: what it holds is compared with what it held whenever something else happens.
struct map {
  unsigned char *at;
  size_t length;
  off_t offset;
  uint64_t inode;
  int fd;
  unsigned char *seen;
  size_t seen_length;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct map maps[MAPS];
static const char *root, *acks, *boot_id;
static size_t root_length;
static int trace = -1;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(void) {
  root = getenv("POWERCUT_ROOT");
  acks = getenv("POWERCUT_ACKS");
  boot_id = getenv("POWERCUT_BOOT_ID");
  const char *file = getenv("POWERCUT_TRACE");
  if (root == NULL || file == NULL) return;
  root_length = strlen(root);
  trace = syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static int below_root(const char *path) {
  return trace >= 0 && strncmp(path, root, root_length) == 0 && (path[root_length] == '/' || path[root_length] == 0);
}

static void absolute(const char *path, char *into) {
  if (path[0] == '/') {
    snprintf(into, PATH_MAX, "%s", path);
    return;
  }
  char here[PATH_MAX / 2];
  if (getcwd(here, sizeof here) == NULL) here[0] = 0;
  snprintf(into, PATH_MAX, "%s/%.2000s", here, path);
}

// The regular file or directory below the root that a descriptor is, and its path. 0: it is none.
static int tracked(int fd, struct stat *st, char *path) {
  if (trace < 0 || fd < 0 || fstat(fd, st) != 0 || (!S_ISREG(st->st_mode) && !S_ISDIR(st->st_mode))) return 0;
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, PATH_MAX - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return below_root(path);
}

static void record(struct head head, const char *one, const char *two, const void *data, size_t length) {
  head.text = (one == NULL ? 0 : strlen(one) + 1) + (two == NULL ? 0 : strlen(two) + 1);
  head.data = length;
  struct iovec parts[4] = {
      {&head, sizeof head},
      {(void *)one, one == NULL ? 0 : strlen(one) + 1},
      {(void *)two, two == NULL ? 0 : strlen(two) + 1},
      {(void *)data, length},
  };
  size_t total = sizeof head + head.text + length;
  if (syscall(SYS_writev, trace, parts, 4) != (long)total) {
    static const char problem[] = "recorder: the trace cannot be written\n";
    syscall(SYS_write, 2, problem, sizeof problem - 1);
    abort();
  }
}

// What has been stored through mappings since they were looked at last.
static void look_at_maps(void) {
  for (int i = 0; i < MAPS; i++) {
    struct map *map = &maps[i];
    struct stat st;
    if (map->at == NULL || fstat(map->fd, &st) != 0 || st.st_size <= map->offset) continue;
    size_t length = st.st_size - map->offset < (off_t)map->length ? (size_t)(st.st_size - map->offset) : map->length;
    if (length > map->seen_length) {
      map->seen = realloc(map->seen, length);
      memset(map->seen + map->seen_length, 0, length - map->seen_length);
      map->seen_length = length;
    }
    for (size_t at = 0; at < length; at += SECTOR) {
      size_t bytes = length - at < SECTOR ? length - at : SECTOR;
      if (memcmp(map->seen + at, map->at + at, bytes) == 0) continue;
      memcpy(map->seen + at, map->at + at, bytes);
      record((struct head){.kind = WRITTEN, .inode = map->inode, .at = map->offset + at}, NULL, NULL, map->seen + at, bytes);
    }
  }
}

static void lock(void) {
  pthread_mutex_lock(&mutex);
  look_at_maps();
}

static void unlock(void) {
  int kept = errno;
  pthread_mutex_unlock(&mutex);
  errno = kept;
}

// --- names

static int open_recorded(const char *name, int flags, mode_t mode) {
  static int (*real)(const char *, int, ...);
  if (real == NULL) real = REAL(open64);
  if (boot_id != NULL && strcmp(name, "/proc/sys/kernel/random/boot_id") == 0) name = boot_id;
  if (trace < 0 || (flags & (O_CREAT | O_TRUNC)) == 0) return real(name, flags, mode);
  char path[PATH_MAX];
  absolute(name, path);
  if (!below_root(path)) return real(name, flags, mode);
  lock();
  struct stat before, after;
  int was_there = stat(path, &before) == 0;
  int fd = real(name, flags, mode);
  if (fd >= 0 && fstat(fd, &after) == 0 && S_ISREG(after.st_mode)) {
    if (!was_there) record((struct head){.kind = CREATED, .inode = after.st_ino}, path, NULL, NULL, 0);
    else if ((flags & O_TRUNC) && before.st_size > 0)
      record((struct head){.kind = RESIZED, .inode = after.st_ino, .at = 0}, NULL, NULL, NULL, 0);
  }
  unlock();
  return fd;
}

int open64(const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  mode_t mode = va_arg(rest, mode_t);
  va_end(rest);
  return open_recorded(path, flags, mode);
}

int open(const char *path, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  mode_t mode = va_arg(rest, mode_t);
  va_end(rest);
  return open_recorded(path, flags, mode);
}

static int name_changed(int result, uint32_t kind, const char *one, const char *two) {
  if (result == 0) record((struct head){.kind = kind}, one, two, NULL, 0);
  unlock();
  return result;
}

int rename(const char *from, const char *to) {
  char one[PATH_MAX], two[PATH_MAX];
  absolute(from, one);
  absolute(to, two);
  if (!below_root(one) && !below_root(two)) return REAL(rename)(from, to);
  lock();
  return name_changed(REAL(rename)(from, to), RENAMED, one, two);
}

int link(const char *from, const char *to) {
  char one[PATH_MAX], two[PATH_MAX];
  absolute(from, one);
  absolute(to, two);
  if (!below_root(two)) return REAL(link)(from, to);
  lock();
  return name_changed(REAL(link)(from, to), LINKED, one, two);
}

int unlink(const char *path) {
  char name[PATH_MAX];
  absolute(path, name);
  if (!below_root(name)) return REAL(unlink)(path);
  lock();
  return name_changed(REAL(unlink)(path), UNLINKED, name, NULL);
}

int mkdir(const char *path, mode_t mode) {
  char name[PATH_MAX];
  absolute(path, name);
  if (!below_root(name)) return REAL(mkdir)(path, mode);
  lock();
  return name_changed(REAL(mkdir)(path, mode), MADE, name, NULL);
}

int rmdir(const char *path) {
  char name[PATH_MAX];
  absolute(path, name);
  if (!below_root(name)) return REAL(rmdir)(path);
  lock();
  return name_changed(REAL(rmdir)(path), UNMADE, name, NULL);
}

// --- bytes

static void written(int fd, const struct stat *st, const char *path, const struct iovec *parts, int count, ssize_t length, off_t at) {
  if (acks != NULL && strcmp(path, acks) == 0) {
    record((struct head){.kind = ACKNOWLEDGED}, NULL, NULL, parts[0].iov_base, length);
    return;
  }
  uint32_t lasting = (fcntl(fd, F_GETFL) & O_DSYNC) != 0;
  for (int i = 0; i < count && length > 0; i++) {
    size_t bytes = parts[i].iov_len < (size_t)length ? parts[i].iov_len : (size_t)length;
    if (bytes == 0) continue;
    record((struct head){.kind = WRITTEN, .inode = st->st_ino, .at = at, .lasting = lasting}, NULL, NULL, parts[i].iov_base, bytes);
    at += bytes;
    length -= bytes;
  }
}

// `at` -1: where the descriptor stands.
static ssize_t write_recorded(int fd, const struct iovec *parts, int count, off_t at) {
  struct stat st;
  char path[PATH_MAX];
  int is_tracked = tracked(fd, &st, path);
  if (is_tracked) lock();
  off_t to = at;
  if (is_tracked && at < 0) to = (fcntl(fd, F_GETFL) & O_APPEND) ? st.st_size : lseek(fd, 0, SEEK_CUR);
  long length = at < 0 ? syscall(SYS_writev, fd, parts, count)
                       : syscall(SYS_pwritev, fd, parts, count, (long)at, 0);
  if (!is_tracked) return length;
  if (length > 0) written(fd, &st, path, parts, count, length, to);
  unlock();
  return length;
}

ssize_t write(int fd, const void *bytes, size_t length) {
  if (trace < 0) return syscall(SYS_write, fd, bytes, length);
  struct iovec part = {(void *)bytes, length};
  return write_recorded(fd, &part, 1, -1);
}

ssize_t writev(int fd, const struct iovec *parts, int count) { return write_recorded(fd, parts, count, -1); }

ssize_t pwrite64(int fd, const void *bytes, size_t length, off_t at) {
  struct iovec part = {(void *)bytes, length};
  return write_recorded(fd, &part, 1, at);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) { return pwrite64(fd, bytes, length, at); }

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t at) { return write_recorded(fd, parts, count, at); }

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) { return write_recorded(fd, parts, count, at); }

static int resize_recorded(int fd, off_t length, int result) {
  struct stat st;
  char path[PATH_MAX];
  if (result == 0 && tracked(fd, &st, path))
    record((struct head){.kind = RESIZED, .inode = st.st_ino, .at = length}, NULL, NULL, NULL, 0);
  unlock();
  return result;
}

int ftruncate64(int fd, off_t length) {
  lock();
  return resize_recorded(fd, length, syscall(SYS_ftruncate, fd, length));
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

int fallocate64(int fd, int mode, off_t at, off_t length) {
  lock();
  struct stat st;
  off_t size = fstat(fd, &st) == 0 && st.st_size > at + length ? st.st_size : at + length;
  return resize_recorded(fd, size, syscall(SYS_fallocate, fd, mode, at, length));
}

int fallocate(int fd, int mode, off_t at, off_t length) { return fallocate64(fd, mode, at, length); }

int posix_fallocate64(int fd, off_t at, off_t length) { return fallocate64(fd, 0, at, length) == 0 ? 0 : errno; }

int posix_fallocate(int fd, off_t at, off_t length) { return posix_fallocate64(fd, at, length); }

// Copies within the kernel pass unseen: whoever copies reads and writes instead.
ssize_t sendfile64(int to, int from, off_t *at, size_t length) {
  struct stat st;
  char path[PATH_MAX];
  if (!tracked(to, &st, path)) return syscall(SYS_sendfile, to, from, at, length);
  errno = EINVAL;
  return -1;
}

long syscall(long number, ...) {
  static long (*real)(long, ...);
  if (real == NULL) real = dlsym(RTLD_NEXT, "syscall");
  long a[6];
  va_list rest;
  va_start(rest, number);
  for (int i = 0; i < 6; i++) a[i] = va_arg(rest, long);
  va_end(rest);
  if (number == SYS_copy_file_range && trace >= 0) {
    errno = ENOSYS;
    return -1;
  }
  return real(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

// --- syncs

static int sync_recorded(int fd, int (*real)(int)) {
  struct stat st;
  char path[PATH_MAX];
  if (!tracked(fd, &st, path)) return real(fd);
  lock();
  if (S_ISDIR(st.st_mode)) record((struct head){.kind = DIRECTORY_SYNCED}, path, NULL, NULL, 0);
  else record((struct head){.kind = SYNCED, .inode = st.st_ino}, NULL, NULL, NULL, 0);
  unlock();
  return 0;
}

int fdatasync(int fd) { return sync_recorded(fd, REAL(fdatasync)); }

int fsync(int fd) { return sync_recorded(fd, REAL(fsync)); }

// --- mappings

void *mmap64(void *at, size_t length, int protection, int flags, int fd, off_t offset) {
  void *result = (void *)syscall(SYS_mmap, at, length, (long)protection, (long)flags, (long)fd, offset);
  struct stat st;
  char path[PATH_MAX];
  if (result == MAP_FAILED || fd < 0 || !(protection & PROT_WRITE) || !(flags & MAP_SHARED)) return result;
  if (!tracked(fd, &st, path) || strstr(path, "lock") != NULL) return result; // lock files are made anew after a boot
  pthread_mutex_lock(&mutex);
  for (int i = 0; i < MAPS; i++) {
    if (maps[i].at != NULL) continue;
    size_t there = st.st_size <= offset ? 0 : (size_t)(st.st_size - offset) < length ? (size_t)(st.st_size - offset) : length;
    maps[i] = (struct map){result, length, offset, st.st_ino, dup(fd), malloc(there + 1), there};
    memcpy(maps[i].seen, result, there);
    break;
  }
  unlock();
  return result;
}

void *mmap(void *at, size_t length, int protection, int flags, int fd, off_t offset) {
  return mmap64(at, length, protection, flags, fd, offset);
}

int munmap(void *at, size_t length) {
  for (int i = 0; trace >= 0 && i < MAPS; i++) {
    if (maps[i].at != at) continue;
    lock();
    close(maps[i].fd);
    free(maps[i].seen);
    maps[i] = (struct map){0};
    unlock();
  }
  return syscall(SYS_munmap, at, length);
}

int msync(void *at, size_t length, int flags) {
  if (trace < 0) return syscall(SYS_msync, at, length, flags);
  lock();
  int is_known = 0;
  for (int i = 0; i < MAPS; i++) {
    if (maps[i].at == NULL || (unsigned char *)at < maps[i].at || (unsigned char *)at >= maps[i].at + maps[i].length) continue;
    record((struct head){.kind = SYNCED, .inode = maps[i].inode}, NULL, NULL, NULL, 0);
    is_known = 1;
  }
  unlock();
  return is_known ? 0 : syscall(SYS_msync, at, length, flags);
}
