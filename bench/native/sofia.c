/* Sofia-SIP: the whole message into its structures, and gone again. */

#include <sofia-sip/msg.h>
#include <sofia-sip/msg_addr.h>
#include <sofia-sip/msg_parser.h>
#include <sofia-sip/sip.h>
#include <sofia-sip/sip_parser.h>

#include "corpus.h"

static int parse(const char *text, size_t length) {
  msg_t *message = msg_make(sip_default_mclass(), 0, text, (ssize_t)length);
  if (!message) return 1;
  sip_t *sip = sip_object(message);
  int error = sip == NULL || sip->sip_error != NULL || (sip->sip_request == NULL && sip->sip_status == NULL);
  msg_destroy(message);
  return error;
}

int main(int argc, char **argv) {
  return time_parser(argc, argv, parse);
}
