/* GNU oSIP: the whole message into its structures, and gone again. */

#include <osipparser2/osip_parser.h>

#include "corpus.h"

static int parse(const char *text, size_t length) {
  osip_message_t *message = NULL;
  if (osip_message_init(&message) != 0) return 1;
  int error = osip_message_parse(message, text, length);
  osip_message_free(message);
  return error;
}

int main(int argc, char **argv) {
  if (parser_init() != 0) return 2;
  return time_parser(argc, argv, parse);
}
