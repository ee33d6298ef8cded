/* wsload: a WebSocket load generator for measuring servers on loopback.
 *
 * One thread, epoll. Built with: cc -O2 -o wsload wsload.c -lssl -lcrypto
 *   wsload echo    HOST PORT PATH CONNS SIZE DEPTH SECONDS   masked frames, DEPTH in flight a connection
 *   wsload fanout  HOST PORT PATH CONNS SIZE SECONDS         connection 0 sends, everyone must get it, then the next
 *   wsload connect HOST PORT PATH CONNS SECONDS              handshake, close, again; CONNS at a time
 *   wsload get     HOST PORT PATH CONNS SECONDS              the same with a plain request
 *   wsload hold    HOST PORT PATH CONNS SECONDS              open CONNS and hold them, then echo once on each
 *   wsload raw     HOST PORT -    CONNS SIZE DEPTH SECONDS   no handshake: plain bytes echoed (the limit)
 * Prints one line of key=value figures. Exit 1 where something was lost.
 * WSLOAD_PIDS="12,34": the servers' processes; adds their CPU time a message (cpu_us, steadier on a
 * shared machine than the wall clock) and their resident memory. WSLOAD_SRC=K: source addresses from
 * the K-th block on, so that several loaders do not share ports. WSLOAD_TLS=1: over TLS, all but raw;
 * any certificate will do.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTING, SECURING, SHAKING, OPEN, DEAD };
typedef struct {
    int fd, state;
    SSL *ssl;             /* NULL: plain TCP */
    uint64_t need;        /* payload bytes still to skip */
    unsigned char hdr[14];
    int hlen;             /* header bytes gathered */
    int inflight;
    char *shake; int shakelen;
    double sent_at;
    uint64_t got;
    size_t off;           /* of the batch being written */
    size_t batch_len;
} conn;

static conn *cs;
static SSL_CTX *tls;
static int ep, n, depth = 1, mode_raw, mode_get, bad;
static size_t size;
static unsigned char *batch; static size_t frame_len;
static uint64_t msgs, bytes_in;
static double lat_sum, lat_max; static uint64_t lat_n;
static float *lats; static uint64_t lats_cap = 4000000;
static const char *host, *path; static int port;
static unsigned long opened;

static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + t.tv_nsec / 1e9; }

static double cpu_of_pids(void) {  /* seconds of CPU used so far by WSLOAD_PIDS, threads that have ended included */
    const char *p = getenv("WSLOAD_PIDS"); double sum = 0;
    while (p && *p) {
        long pid = strtol(p, (char **)&p, 10); if (*p == ',') p++;
        clockid_t id; struct timespec t;
        if (!clock_getcpuclockid(pid, &id) && !clock_gettime(id, &t)) sum += t.tv_sec + t.tv_nsec / 1e9;
    }
    return sum;
}
static double rss_of_pids(void) {  /* MiB */
    const char *p = getenv("WSLOAD_PIDS"); double sum = 0;
    while (p && *p) {
        char f[64]; long pid = strtol(p, (char **)&p, 10); if (*p == ',') p++;
        snprintf(f, sizeof f, "/proc/%ld/smaps_rollup", pid);
        FILE *o = fopen(f, "r"); char line[256]; long kb;
        while (o && fgets(line, sizeof line, o)) if (sscanf(line, "Pss: %ld", &kb) == 1) sum += kb / 1024.0;
        if (o) fclose(o);
    }
    return sum;
}
static double cpu0, rss0;

/* As send, recv and close, over TLS where the connection has it. */
static ssize_t tls_refused(conn *c) {
    int why = SSL_get_error(c->ssl, 0);
    ERR_clear_error();
    if (why == SSL_ERROR_ZERO_RETURN) return 0;
    errno = why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? EAGAIN : EIO;
    return -1;
}
static ssize_t put(conn *c, const void *p, size_t len) {
    size_t done;
    if (!c->ssl) return send(c->fd, p, len, MSG_NOSIGNAL);
    return SSL_write_ex(c->ssl, p, len, &done) ? (ssize_t)done : tls_refused(c);
}
static ssize_t take(conn *c, unsigned char *p, size_t len) {
    size_t got = 0, more;
    if (!c->ssl) return recv(c->fd, p, len, 0);
    /* All records: epoll does not tell of bytes that OpenSSL has already. */
    while (got < len && SSL_read_ex(c->ssl, p + got, len - got, &more)) got += more;
    return got ? (ssize_t)got : tls_refused(c);
}
static void hang_up(conn *c) { SSL_free(c->ssl); c->ssl = NULL; close(c->fd); }

static void tls_init(void) {
    signal(SIGPIPE, SIG_IGN);
    tls = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
}

static void start(conn *c, int i) {
    memset(c, 0, sizeof *c);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (c->fd < 0) { perror("socket"); exit(2); }
    int one = 1; setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct sockaddr_in a = {.sin_family = AF_INET};
    /* many loopback sources, so that ports do not run out */
    const char *base = getenv("WSLOAD_SRC"); int b = base ? atoi(base) : 0;
    if (n > 20000 || base) {
        setsockopt(c->fd, IPPROTO_IP, 24 /* IP_BIND_ADDRESS_NO_PORT */, &one, sizeof one);
        a.sin_addr.s_addr = htonl(0x7f000001u + 256u * (unsigned)(b + i / 20000));
        if (bind(c->fd, (struct sockaddr *)&a, sizeof a)) { perror("bind"); exit(2); }
    }
    a.sin_port = htons(port); inet_pton(AF_INET, host, &a.sin_addr);
    int r = connect(c->fd, (struct sockaddr *)&a, sizeof a);
    if (r && errno != EINPROGRESS) { perror("connect"); exit(2); }
    c->state = CONNECTING;
    struct epoll_event e = {.events = EPOLLOUT, .data.ptr = c};
    epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &e);
}

static void want(conn *c, int out) {
    struct epoll_event e = {.events = EPOLLIN | (out ? EPOLLOUT : 0), .data.ptr = c};
    epoll_ctl(ep, EPOLL_CTL_MOD, c->fd, &e);
}

static void pump(conn *c) {
    while (c->off < c->batch_len) {
        ssize_t w = put(c, batch + c->off, c->batch_len - c->off);
        if (w < 0) { if (errno == EAGAIN) { want(c, 1); return; } c->state = DEAD; bad++; return; }
        c->off += w;
    }
    want(c, 0);
}
static void fire(conn *c) { c->off = 0; c->batch_len = frame_len * depth; c->inflight = depth; c->sent_at = now(); pump(c); }

static void message(conn *c, double t) {
    msgs++; c->got++; c->inflight--;
    (void)t;
}

/* eats server frames; returns how many whole data messages came */
static int eat(conn *c, unsigned char *p, size_t len) {
    int k = 0;
    bytes_in += len;
    while (len) {
        if (c->need) { size_t x = len < c->need ? len : c->need; c->need -= x; p += x; len -= x; if (!c->need) { if (mode_raw || (c->hdr[0] & 15) < 8) { if (mode_raw || c->hdr[0] & 128) k++; } else if ((c->hdr[0] & 15) == 8) { c->state = DEAD; } c->hlen = 0; if (mode_raw) c->need = size; } continue; }
        c->hdr[c->hlen++] = *p++; len--;
        if (c->hlen < 2) continue;
        int l = c->hdr[1] & 127, full = l == 126 ? 4 : l == 127 ? 10 : 2;
        if (c->hlen < full) continue;
        uint64_t L = l;
        if (l == 126) L = c->hdr[2] << 8 | c->hdr[3];
        if (l == 127) { L = 0; for (int i = 2; i < 10; i++) L = L << 8 | c->hdr[i]; }
        c->need = L;
        if (!L) { if ((c->hdr[0] & 15) < 8 && c->hdr[0] & 128) k++; c->hlen = 0; }
    }
    return k;
}

static void shake(conn *c) {
    char req[1024];
    const char *extensions = getenv("WSLOAD_EXTENSIONS");
    int l = mode_get ? snprintf(req, sizeof req, "GET %s HTTP/1.1\r\nHost: %s:%d\r\n\r\n", path, host, port) : snprintf(req, sizeof req, "GET %s HTTP/1.1\r\nHost: %s:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s%s%s\r\n", path, host, port, extensions ? "Sec-WebSocket-Extensions: " : "", extensions ? extensions : "", extensions ? "\r\n" : "");
    if (put(c, req, l) != l) { bad++; c->state = DEAD; return; }
    c->state = SHAKING; want(c, 0);
}

/* TLS's own handshake; then the WebSocket's. False: it failed. */
static int secure(conn *c) {
    if (!c->ssl) { c->ssl = SSL_new(tls); SSL_set_fd(c->ssl, c->fd); SSL_set_connect_state(c->ssl); c->state = SECURING; }
    if (SSL_do_handshake(c->ssl) == 1) { shake(c); return 1; }
    int wants_out = SSL_want_write(c->ssl);
    if (tls_refused(c) == 0 || errno != EAGAIN) return 0;
    want(c, wants_out);
    return 1;
}

static unsigned char buf[1 << 20];
static int cmpf(const void *a, const void *b) { float x = *(float *)a, y = *(float *)b; return x < y ? -1 : x > y; }
static double pct(double q) { if (!lat_n) return 0; uint64_t m = lat_n < lats_cap ? lat_n : lats_cap; return lats[(uint64_t)(q * (m - 1))] * 1e6; }

int main(int argc, char **argv) {
    if (argc < 7) { fprintf(stderr, "see the head of wsload.c\n"); return 2; }
    const char *mode = argv[1]; host = argv[2]; port = atoi(argv[3]); path = argv[4]; n = atoi(argv[5]);
    int echo = !strcmp(mode, "echo"), raw = !strcmp(mode, "raw"), fan = !strcmp(mode, "fanout"), con = !strcmp(mode, "connect") || !strcmp(mode, "get"), hold = !strcmp(mode, "hold");
    double secs; mode_raw = raw; mode_get = !strcmp(mode, "get");
    if (!raw && getenv("WSLOAD_TLS")) tls_init();
    if (echo || raw) { size = atol(argv[6]); depth = atoi(argv[7]); secs = atof(argv[8]); }
    else if (fan) { size = atol(argv[6]); secs = atof(argv[7]); }
    else { size = 32; secs = atof(argv[6]); }
    lats = malloc(lats_cap * sizeof *lats);
    unsigned char h[14]; int hl = 0;
    if (!raw) {
        h[hl++] = 0x81;
        if (size < 126) h[hl++] = 128 | size;
        else if (size < 65536) { h[hl++] = 128 | 126; h[hl++] = size >> 8; h[hl++] = size; }
        else { h[hl++] = 128 | 127; for (int i = 7; i >= 0; i--) h[hl++] = (uint64_t)size >> (8 * i); }
        unsigned char m[4] = {0x37, 0xfa, 0x21, 0x3d}; memcpy(h + hl, m, 4); hl += 4;
    }
    frame_len = hl + size; batch = malloc(frame_len * depth);
    for (int d = 0; d < depth; d++) {
        unsigned char *f = batch + d * frame_len; memcpy(f, h, hl);
        for (size_t i = 0; i < size; i++) f[hl + i] = raw ? 'x' : ('a' + i % 26) ^ h[hl - 4 + i % 4];
    }
    ep = epoll_create1(0); cs = calloc(n, sizeof *cs);
    double t0 = now(); int started = 0, open = 0, window = n < 512 ? n : 512; if (con) window = n;
    struct epoll_event ev[1024];
    double go = 0, end = 0; uint64_t rounds = 0, base_msgs = 0;
    int phase = 0; /* 0 opening, 1 running */
    double round_at = 0; int round_left = 0; int sent_hold = 0;
    rss0 = rss_of_pids(); cpu0 = cpu_of_pids();
    for (int i = 0; i < window; i++) start(&cs[started++], i);
    if (con) { go = now(); end = go + secs; phase = 1; }
    while (1) {
        double t = now();
        if (phase == 1 && t >= end && !(hold && !sent_hold)) break;
        if (phase == 0 && t - t0 > 300) { fprintf(stderr, "opening took too long: %d of %d\n", open, n); return 1; }
        if (hold && phase == 1 && t >= end && !sent_hold) {
            sent_hold = 1; base_msgs = msgs; end = t + 120; double s = t; (void)s; go = t;
            /* memory at the end of the hold: at its start a server may still be at work on the last handshakes */
            if (getenv("WSLOAD_PIDS")) printf("rss_MB=%.1f rss_kB_per_conn=%.2f ", rss_of_pids(), (rss_of_pids() - rss0) * 1024 / (open ? open : 1));
            for (int i = 0; i < n; i++) if (cs[i].state == OPEN) fire(&cs[i]);
        }
        if (hold && sent_hold && msgs - base_msgs >= (uint64_t)(open - bad)) break;
        int k = epoll_wait(ep, ev, 1024, 50);
        for (int j = 0; j < k; j++) {
            conn *c = ev[j].data.ptr;
            if (c->state == DEAD) { epoll_ctl(ep, EPOLL_CTL_DEL, c->fd, 0); continue; }
            if (c->state == CONNECTING) {
                int err = 0; socklen_t el = sizeof err; getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &el);
                if (err) { bad++; hang_up(c); if (con) start(c, c - cs); else c->state = DEAD; continue; }
                if (tls) c->state = SECURING; else if (raw) { c->state = OPEN; c->need = size; open++; want(c, 0); } else { shake(c); continue; }
            }
            if (c->state == SECURING) {
                if (!secure(c)) { bad++; hang_up(c); if (con) start(c, c - cs); else c->state = DEAD; }
                continue;
            }
            if (ev[j].events & EPOLLOUT && c->state == OPEN) pump(c);
            if (!(ev[j].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && !raw) continue;
            if (c->state == SHAKING || c->state == OPEN) {
                if (raw && !(ev[j].events & EPOLLIN)) goto opened_one;
                ssize_t r = take(c, buf, sizeof buf);
                if (r < 0 && errno == EAGAIN) continue;
                if (r <= 0) { bad++; epoll_ctl(ep, EPOLL_CTL_DEL, c->fd, 0); hang_up(c); c->state = DEAD; if (con) start(c, c - cs); continue; }
                unsigned char *p = buf; size_t len = r;
                if (c->state == SHAKING) {
                    unsigned char *e = memmem(buf, r, "\r\n\r\n", 4);
                    if (!e) continue; /* short heads only: fine on loopback */
                    if (memcmp(buf, mode_get ? "HTTP/1.1 200" : "HTTP/1.1 101", 12)) { if (!bad) fprintf(stderr, "refused: %.*s\n", (int)(r < 200 ? r : 200), buf); bad++; hang_up(c); c->state = DEAD; if (con) start(c, c - cs); continue; }
                    c->state = OPEN; open++; opened++;
                    len -= e + 4 - buf; p = e + 4;
                    if (con) { struct linger lg = {1, 0}; setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &lg, sizeof lg); epoll_ctl(ep, EPOLL_CTL_DEL, c->fd, 0); hang_up(c); start(c, c - cs); continue; }
                }
                if (len) {
                    int got = eat(c, p, len); double tn = got ? now() : 0;
                    for (int g = 0; g < got; g++) message(c, tn);
                    if (got && phase == 1) {
                        if (echo || raw) { if (c->inflight <= 0) { double l = tn - c->sent_at; if (lat_n < lats_cap) lats[lat_n] = l; lat_n++; fire(c); } }
                        else if (fan) { round_left -= got; }
                    }
                }
                opened_one:;
            }
            if (c->ssl && SSL_pending(c->ssl)) j--; /* more than buf holds: once more */
            if (phase == 0 && started < n && c->state == OPEN && c->got == 0) { while (started < n && started - open < window) { start(&cs[started], started); started++; } }
        }
        if (phase == 0 && open + bad >= n) {
            go = now(); phase = 1; end = go + secs;
            printf("opened=%d failed=%d open_s=%.3f opens_per_s=%.0f ", open, bad, go - t0, open / (go - t0)); fflush(stdout);
            base_msgs = msgs; cpu0 = cpu_of_pids();
            if (getenv("WSLOAD_PIDS") && !hold) printf("rss_MB=%.1f rss_kB_per_conn=%.2f ", rss_of_pids(), (rss_of_pids() - rss0) * 1024 / (open ? open : 1));
            go = now(); end = go + secs;
            if (echo || raw) for (int i = 0; i < n; i++) if (cs[i].state == OPEN) fire(&cs[i]);
            if (hold) { printf("holding "); fflush(stdout); }
            round_left = 0;
        }
        if (fan && phase == 1 && round_left <= 0) {
            double tn = now();
            if (round_at) { double l = tn - round_at; if (lat_n < lats_cap) lats[lat_n] = l; lat_n++; rounds++; }
            round_at = tn; round_left = open; fire(&cs[0]);
        }
    }
    double el = now() - go, cpu = cpu_of_pids() - cpu0;
    uint64_t work = con ? opened : msgs - base_msgs;
    if (cpu > 0 && work) printf("cpu_us=%.2f ", cpu * 1e6 / work);
    uint64_t m = lat_n < lats_cap ? lat_n : lats_cap; qsort(lats, m, sizeof *lats, cmpf);
    if (con) printf("connects_per_s=%.0f failed=%d secs=%.2f\n", opened / el, bad, el);
    else if (hold) printf("echoed=%lu of=%d lost=%ld echo_s=%.3f dead=%d\n", (unsigned long)(msgs - base_msgs), open, (long)(open - (long)(msgs - base_msgs)), el, bad);
    else printf("msgs_per_s=%.0f MB_per_s=%.1f p50_us=%.0f p99_us=%.0f max_us=%.0f rounds=%lu dead=%d secs=%.2f\n", (msgs - base_msgs) / el, bytes_in / el / 1e6, pct(.5), pct(.99), pct(1), (unsigned long)rounds, bad, el);
    (void)lat_sum; (void)lat_max;
    return bad ? 1 : 0;
}
