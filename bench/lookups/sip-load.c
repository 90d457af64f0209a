// Load of lookups by SIP, one core of it: INVITE, 302, ACK, in batches (recvmmsg, sendmmsg), a window of calls on their way. Every
// 302 must name the contact that was registered for its user. Prints "begin", then "end N" (calls); N REGISTERs in mode register.
//
//   sip-load register|lookup PORT USERS WINDOW SECONDS DOMAIN

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define BATCH 64
#define SIZE 2048
#define WINDOW_MAX 4096
#define OWN_PORT 17161
#define NO_CALL UINT32_MAX

static int fd, users, window, lookup;
static const char *domain;
static char sent[BATCH][SIZE], received[BATCH][SIZE];
static struct iovec sent_at[BATCH], received_at[BATCH];
static struct mmsghdr to_send[BATCH], to_receive[BATCH];
static int queued;
static uint32_t waiting[WINDOW_MAX]; // by slot: the call on its way, number * WINDOW + slot
static uint32_t next_round[WINDOW_MAX];
static uint32_t run; // of this process: calls of another are others

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static void fail(const char *what, const char *message) {
  fprintf(stderr, "sip-load: %s\n%s\n", what, message);
  exit(1);
}

static int callee(uint32_t call) { return (call * 2654435761u) % users; }

static void flush(void) {
  for (int at = 0; at < queued;) {
    int n = sendmmsg(fd, to_send + at, queued - at, 0);
    if (n > 0) at += n;
    else if (errno != EAGAIN && errno != ECONNREFUSED) fail("sendmmsg", strerror(errno));
  }
  queued = 0;
}

static void queue(int length) {
  sent_at[queued].iov_len = length;
  if (++queued == BATCH) flush();
}

static void invite(uint32_t call, const char *method, const char *tag, int tag_length) {
  int user = callee(call);
  queue(snprintf(sent[queued], SIZE,
                 "%s sip:u%d@%s SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%d;branch=z9hG4bKi%u-%u;rport\r\nMax-Forwards: 70\r\n"
                 "From: <sip:caller@%s>;tag=i%u\r\nTo: <sip:u%d@%s>%.*s\r\nCall-ID: invite-%u-%u@127.0.0.1\r\nCSeq: 1 %s\r\n"
                 "Contact: <sip:caller@127.0.0.1:%d>\r\nUser-Agent: bench phone 1.0\r\nContent-Length: 0\r\n\r\n",
                 method, user, domain, OWN_PORT, call, run, domain, call, user, domain, tag_length, tag, call, run, method, OWN_PORT));
}

static void enrol(uint32_t call) {
  int user = call % users;
  queue(snprintf(sent[queued], SIZE,
                 "REGISTER sip:%s SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:%d;branch=z9hG4bKi%u-%u;rport\r\nMax-Forwards: 70\r\n"
                 "From: <sip:u%d@%s>;tag=r%u\r\nTo: <sip:u%d@%s>\r\nCall-ID: register-%d@127.0.0.1\r\nCSeq: %u REGISTER\r\n"
                 "Contact: <sip:u%d@127.0.0.1:%d>;q=0.5\r\nExpires: 3600\r\nUser-Agent: bench phone 1.0\r\nContent-Length: 0\r\n\r\n",
                 domain, OWN_PORT, call, run, user, domain, call, user, domain, user, 1 + call / users, user, OWN_PORT));
}

static void start(int slot) {
  uint32_t call = next_round[slot]++ * window + slot;
  waiting[slot] = !lookup && call >= (uint32_t)users ? NO_CALL : call;
  if (waiting[slot] == NO_CALL) return;
  if (lookup) invite(call, "INVITE", "", 0);
  else enrol(call);
}

/** 1: it ends a call on its way. */
static int take(char *answer) {
  int status = atoi(answer + 8);
  char *branch = strstr(answer, "branch=z9hG4bKi");
  if (status < 200) return 0;
  if (branch == NULL) fail("an answer without a branch", answer);
  char *end;
  uint32_t call = strtoul(branch + 15, &end, 10);
  if (strtoul(end + 1, NULL, 10) != run) return 0;
  if (status != (lookup ? 302 : 200)) fail("an answer that was not expected", answer);
  if (lookup) {
    char contact[64];
    char *to = strstr(answer, "\r\nTo: ");
    char *tag = to == NULL ? NULL : strstr(to + 6, ">;tag=");
    if (tag == NULL) fail("a 302 without a To tag", answer);
    snprintf(contact, sizeof contact, "\r\nContact: <sip:u%d@127.0.0.1:%d>;", callee(call), OWN_PORT);
    if (strstr(answer, contact) == NULL) fail("a 302 without the contact of its user", answer);
    invite(call, "ACK", tag + 1, strcspn(tag + 1, "\r"));
  }
  int slot = call % window;
  if (waiting[slot] != call) return 0; // repeated
  start(slot);
  return 1;
}

static long drive(double until, long enough) {
  long done = 0;
  while (now() < until && done < enough) {
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    if (poll(&wait, 1, 500) == 0) {
      // Lost: once more what is on its way.
      for (int slot = 0; slot < window; slot++) {
        if (waiting[slot] == NO_CALL) continue;
        if (lookup) invite(waiting[slot], "INVITE", "", 0);
        else enrol(waiting[slot]);
      }
      flush();
    }
    int n = recvmmsg(fd, to_receive, BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < n; i++) {
      received[i][to_receive[i].msg_len] = 0;
      done += take(received[i]);
    }
    flush();
  }
  return done;
}

int main(int argc, char **argv) {
  if (argc != 7) fail("usage: sip-load register|lookup PORT USERS WINDOW SECONDS DOMAIN", "");
  lookup = strcmp(argv[1], "lookup") == 0;
  users = atoi(argv[3]);
  window = atoi(argv[4]);
  domain = argv[6];
  run = (uint32_t)time(NULL) ^ (uint32_t)clock() << 20;
  struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons(OWN_PORT), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  struct sockaddr_in server = own;
  server.sin_port = htons(atoi(argv[2]));
  int room = 8 << 20;
  fd = socket(AF_INET, SOCK_DGRAM, 0);
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
  if (window < 1 || window > WINDOW_MAX || bind(fd, (void *)&own, sizeof own) || connect(fd, (void *)&server, sizeof server))
    fail("cannot begin", strerror(errno));
  for (int i = 0; i < BATCH; i++) {
    sent_at[i].iov_base = sent[i];
    received_at[i] = (struct iovec){received[i], SIZE - 1};
    to_send[i].msg_hdr = (struct msghdr){.msg_iov = &sent_at[i], .msg_iovlen = 1};
    to_receive[i].msg_hdr = (struct msghdr){.msg_iov = &received_at[i], .msg_iovlen = 1};
  }
  for (int slot = 0; slot < window; slot++) start(slot);
  flush();
  double seconds = atof(argv[5]);
  if (lookup) drive(now() + 1, __LONG_MAX__); // warm
  puts("begin");
  fflush(stdout);
  long done = lookup ? drive(now() + seconds, __LONG_MAX__) : drive(now() + 120, users);
  printf("end %ld\n", done);
  return 0;
}
