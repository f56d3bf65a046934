/* A custom runtime: does what its event says, with nothing but the C library. */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <errno.h>
#include <fcntl.h>

static char answer[8 << 20];

/* Sends a request and reads the whole answer, which ends with its connection. */
static char *ask(const char *method, const char *path, const char *body, size_t length) {
  struct sockaddr_in place = {.sin_family = AF_INET, .sin_port = htons(9001)};
  inet_pton(AF_INET, "127.0.0.1", &place.sin_addr);
  int connection = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(connection, (struct sockaddr *)&place, sizeof place) != 0) exit(90);
  dprintf(connection, "%s /2018-06-01/runtime/%s HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n",
          method, path, length);
  for (size_t sent = 0; sent < length;) {
    ssize_t more = write(connection, body + sent, length - sent);
    if (more <= 0) exit(91);
    sent += more;
  }
  size_t got = 0;
  for (ssize_t more; (more = read(connection, answer + got, sizeof answer - 1 - got)) > 0;) got += more;
  close(connection);
  answer[got] = 0;
  return answer;
}

/* What an attempt came to, by its error's name. */
static const char *attempt(int result) { return result < 0 ? strerror(errno) : "done"; }

static void attack(char *text) {
  int table = open("/proc/sys/fs/binfmt_misc/register", O_WRONLY);
  const char *registered = attempt(table);
  const char *mounted = attempt(mount("binfmt_misc", "/tmp", "binfmt_misc", 0, NULL));
  const char *traced = attempt(syscall(SYS_ptrace, 16, 1, 0, 0));
  sprintf(text, "{\"register\":\"%s\",\"mount\":\"%s\",\"ptrace\":\"%s\"}", registered, mounted, traced);
}

int main(void) {
  puts("initialised");
  fflush(stdout);
  for (;;) {
    char *head = ask("GET", "invocation/next", "", 0);
    char *id = strcasestr(head, "lambda-runtime-aws-request-id: ");
    if (!id) return 92;
    id = strdup(id + 31);
    id[strcspn(id, "\r\n")] = 0;
    char *event = strstr(head, "\r\n\r\n") + 4;
    char path[200], *text = malloc(7 << 20);
    const char *kind = "response";
    if (strstr(event, "\"exit\"")) exit(7);
    if (strstr(event, "\"sleep\"")) sleep(60);
    if (strstr(event, "\"memory\"")) for (size_t size = 64 << 20;;) memset(malloc(size), 1, size);
    if (strstr(event, "\"error\"")) {
      kind = "error";
      strcpy(text, "{\"errorType\":\"Function.Asked\",\"errorMessage\":\"as asked\"}");
    } else if (strstr(event, "\"attack\"")) {
      attack(text);
    } else if (strstr(event, "\"echo\"")) {
      strcpy(text, event);
    } else {
      struct utsname name;
      uname(&name);
      sprintf(text, "{\"machine\":\"%s\",\"layer\":%s}", name.machine, access("/opt/of-layer", R_OK) ? "false" : "true");
    }
    snprintf(path, sizeof path, "invocation/%s/%s", id, kind);
    ask("POST", path, text, strlen(text));
    free(text);
    free(id);
  }
}
