/* SPDX-License-Identifier: Apache-2.0
 *
 * The C side of `make bench-link`: Erlang's own library for nodes written in C (`ei`, of Debian's erlang-dev), used as
 * its manual says. Joins as NODE, and for each line on its input sends, or receives, {ConnId, Binary} COUNT times.
 *
 *   ei_subject ALIVE COOKIE PEER_ALIVE COUNT BYTES
 *
 *   receive ──▶ "SECONDS CPU_SECONDS": from asking the peer's `source` to the last message
 *   send    ──▶ the same, from the first message to the word of the peer's `sink` that it has them all
 */
#include <ei.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static ei_cnode node;
static int fd;
static erlang_pid conn_id;
static ei_x_buff received;
static char message[64 * 1024];
static char body[32 * 1024];
static char kept[64 * 1024];

static void fail(const char *what) {
  fprintf(stderr, "ei_subject: %s failed (erl_errno %d)\n", what, erl_errno);
  exit(1);
}

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec + now.tv_nsec / 1e9;
}

static double cpu_seconds(void) {
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  return used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

/* {ConnId, Binary} */
static void send_to(char *name, const char *bytes, long length) {
  int end = 0;
  if (ei_encode_version(message, &end) || ei_encode_tuple_header(message, &end, 2) ||
      ei_encode_pid(message, &end, &conn_id) || ei_encode_binary(message, &end, bytes, length))
    fail("encoding");
  if (ei_reg_send(&node, fd, name, message, end) != 0) fail("ei_reg_send");
}

/* Waits for the next {ConnId, Binary}, and gives the binary's length. */
static long receive_one(void) {
  erlang_msg info;
  int got;
  do got = ei_xreceive_msg(fd, &info, &received);
  while (got == ERL_TICK);
  if (got != ERL_MSG) fail("ei_xreceive_msg");
  int at = 0, version, arity;
  long length;
  erlang_pid to;
  if (ei_decode_version(received.buff, &at, &version) || ei_decode_tuple_header(received.buff, &at, &arity) ||
      arity != 2 || ei_decode_pid(received.buff, &at, &to) || ei_decode_binary(received.buff, &at, kept, &length))
    fail("decoding");
  if (to.num != conn_id.num || to.serial != conn_id.serial || to.creation != conn_id.creation) fail("the ConnId");
  return length;
}

int main(int argc, char **argv) {
  if (argc != 6) return fprintf(stderr, "usage: ei_subject ALIVE COOKIE PEER_ALIVE COUNT BYTES\n"), 2;
  long count = atol(argv[4]), bytes = atol(argv[5]);
  char count_text[32], line[32];
  snprintf(count_text, sizeof count_text, "%ld", count);
  ei_init();
  struct in_addr address = {htonl(INADDR_LOOPBACK)};
  char full[128];
  snprintf(full, sizeof full, "%s@localhost", argv[1]);
  if (ei_connect_xinit(&node, "localhost", argv[1], full, &address, argv[2], 1) != 0) fail("ei_connect_xinit");
  if ((fd = ei_xconnect(&node, &address, argv[3])) < 0) fail("ei_xconnect");
  conn_id = *ei_self(&node);
  ei_x_new(&received);
  memset(body, 'x', sizeof body);
  setvbuf(stdout, NULL, _IOLBF, 0);
  puts("ready");
  while (fgets(line, sizeof line, stdin) != NULL) {
    double begin = seconds(), cpu = cpu_seconds();
    if (strcmp(line, "receive\n") == 0) {
      send_to("source", count_text, strlen(count_text));
      for (long left = count; left > 0; left--)
        if (receive_one() != bytes) fail("the length");
    } else {
      send_to("sink", count_text, strlen(count_text));
      for (long left = count; left > 0; left--) send_to("sink", body, bytes);
      receive_one();
    }
    printf("%f %f\n", seconds() - begin, cpu_seconds() - cpu);
  }
  return 0;
}
