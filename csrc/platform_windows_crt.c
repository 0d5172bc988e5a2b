/*
 * platform_windows_crt.c: keeps 60 KiB out of the library that it has no use for.
 *
 * Zig's own libc for x86_64 Windows is one object file with all functions of mathematics in it, and one
 * call of memcpy links all of that. So those few functions are here, and the linker never asks for it.
 */
#include <stddef.h>
#include <stdint.h>

/* mingw's start-up code calls this to correct addresses of variables that another DLL exports. There
 * are none; its own function for that needs a printf with long doubles. */
void _pei386_runtime_relocator(void);
void _pei386_runtime_relocator(void) {}

#if defined(__x86_64__)

/* The compiler must not see what a loop amounts to, and call the function that it is. */
#define AS_WRITTEN __attribute__((no_builtin))

void *memcpy(void *restrict to, const void *restrict from, size_t size) {
  void *at = to;
  __asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(size)::"memory");
  return to;
}

void *memset(void *to, int byte, size_t size) {
  void *at = to;
  __asm__ volatile("rep stosb" : "+D"(at), "+c"(size) : "a"(byte) : "memory");
  return to;
}

AS_WRITTEN void *memmove(void *to, const void *from, size_t size) {
  if ((uintptr_t)to - (uintptr_t)from >= size) return memcpy(to, from, size);
  /* To the end of what it overlaps: from the back, in words and then in bytes. */
  uint8_t *end = (uint8_t *)to + size;
  const uint8_t *source = (const uint8_t *)from + size;
  for (; size >= sizeof(uint64_t); size -= sizeof(uint64_t)) {
    uint64_t word;
    source -= sizeof word;
    end -= sizeof word;
    __builtin_memcpy(&word, source, sizeof word);
    __builtin_memcpy(end, &word, sizeof word);
  }
  while (size-- > 0) *--end = *--source;
  return to;
}

AS_WRITTEN int memcmp(const void *a, const void *b, size_t size) {
  const uint8_t *x = a, *y = b;
  for (; size >= sizeof(uint64_t); size -= sizeof(uint64_t), x += 8, y += 8) {
    uint64_t p, q;
    __builtin_memcpy(&p, x, sizeof p);
    __builtin_memcpy(&q, y, sizeof q);
    if (p == q) continue;
    p = __builtin_bswap64(p); /* the first byte decides */
    q = __builtin_bswap64(q);
    return p < q ? -1 : 1;
  }
  for (; size > 0; size--, x++, y++) {
    if (*x != *y) return *x - *y;
  }
  return 0;
}

AS_WRITTEN void *memchr(const void *in, int byte, size_t size) {
  for (const uint8_t *at = in; size > 0; size--, at++) {
    if (*at == (uint8_t)byte) return (void *)(uintptr_t)at;
  }
  return NULL;
}

AS_WRITTEN size_t strlen(const char *text) {
  const char *end = text;
  while (*end != '\0') end++;
  return (size_t)(end - text);
}

AS_WRITTEN double floor(double value) {
  const double whole = 4503599627370496.0; /* from here on every double is an integer */
  if (!(value > -whole && value < whole)) return value;
  double towards_zero = (double)(int64_t)value;
  if (towards_zero > value) return towards_zero - 1;
  return towards_zero == 0 ? value * 0 : towards_zero; /* -0 stays -0 */
}

/* What isnan() and isfinite() of mingw's math.h call, where the compiler does not inline that. */
int __isnan(double value) { return value != value; }

int __fpclassify(double value) {
  const int nan = 0x100, normal = 0x400, zero = 0x4000; /* FP_NAN and so on; the others are two of them */
  return __builtin_fpclassify(nan, nan | normal, normal, normal | zero, zero, value);
}

/*
 * Called before a frame of rax bytes, of more than a page, is made: Windows enlarges a stack only when
 * the page below it is touched, so each page on the way is. Every register stays as it is.
 */
__asm__(".text\n"
        ".globl ___chkstk_ms\n"
        "___chkstk_ms:\n"
        "  pushq %rax\n"
        "  pushq %rdx\n"
        "  leaq 24(%rsp), %rdx\n" /* the caller's stack, above two registers and the return address */
        "touch_page:\n"
        "  cmpq $4096, %rax\n"
        "  jbe touch_last\n"
        "  subq $4096, %rdx\n"
        "  subq $4096, %rax\n"
        "  testq %rdx, (%rdx)\n"
        "  jmp touch_page\n"
        "touch_last:\n"
        "  subq %rax, %rdx\n"
        "  testq %rdx, (%rdx)\n"
        "  popq %rdx\n"
        "  popq %rax\n"
        "  ret\n");

#endif
