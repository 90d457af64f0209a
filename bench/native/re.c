/* libre: start line, header index and the headers that it decodes by itself (Via, To, From, CSeq and the like). */

#include "corpus.h"

#include <re.h>

static int parse(const char *text, size_t length) {
  struct sip_msg *message = NULL;
  struct mbuf *buffer = mbuf_alloc(length);
  if (!buffer) return 1;
  mbuf_write_mem(buffer, (const uint8_t *)text, length);
  mbuf_set_pos(buffer, 0);
  int error = sip_msg_decode(&message, buffer);
  mem_deref(message);
  mem_deref(buffer);
  return error;
}

int main(int argc, char **argv) {
  if (libre_init() != 0) return 2;
  return time_parser(argc, argv, parse);
}
