/* A node of Erlang's C library (`ei`, of Debian's erlang-dev) that answers every request with its own body.
 *
 *   mailbox ALIVE COOKIE
 */
#include <arpa/inet.h>
#include <ei.h>
#include <stdio.h>
#include <stdlib.h>

static void fail(const char *what) {
  fprintf(stderr, "mailbox: %s failed (erl_errno %d)\n", what, erl_errno);
  exit(1);
}

/* {ConnId, Body} comes in, {ConnId, 200, Body} goes out. */
static void answer(int fd, ei_x_buff *request) {
  int at = 0, version, arity, type, size;
  long length;
  erlang_pid conn_id;
  static char body[64 * 1024];
  ei_x_buff out;
  if (ei_decode_version(request->buff, &at, &version) || ei_decode_tuple_header(request->buff, &at, &arity) ||
      arity != 2 || ei_decode_pid(request->buff, &at, &conn_id) ||
      ei_get_type(request->buff, &at, &type, &size) || type != ERL_BINARY_EXT || size > (int)sizeof body ||
      ei_decode_binary(request->buff, &at, body, &length))
    return;
  ei_x_new_with_version(&out);
  ei_x_encode_tuple_header(&out, 3);
  ei_x_encode_pid(&out, &conn_id);
  ei_x_encode_long(&out, 200);
  ei_x_encode_binary(&out, body, length);
  if (ei_send(fd, &conn_id, out.buff, out.index) != 0) fail("ei_send");
  ei_x_free(&out);
}

int main(int count, char **arguments) {
  ei_cnode node;
  ErlConnect peer;
  erlang_msg info;
  ei_x_buff request;
  char name[256];
  struct in_addr address = {htonl(INADDR_LOOPBACK)};
  int port = 0, listening, fd, got;
  if (count != 3) return 2;
  ei_init();
  snprintf(name, sizeof name, "%s@localhost", arguments[1]);
  if (ei_connect_xinit(&node, "localhost", arguments[1], name, &address, arguments[2], 1) < 0) fail("ei_connect_xinit");
  if ((listening = ei_listen(&node, &port, 5)) < 0) fail("ei_listen");
  if (ei_publish(&node, port) < 0) fail("ei_publish");
  puts("ready");
  fflush(stdout);
  if ((fd = ei_accept(&node, listening, &peer)) < 0) fail("ei_accept");
  ei_x_new(&request);
  for (;;) {
    got = ei_xreceive_msg(fd, &info, &request);
    if (got == ERL_MSG) answer(fd, &request);
    else if (got == ERL_ERROR) fail("ei_xreceive_msg");
    request.index = 0;
  }
}
