// Mathematics that the generated code calls, for float and double alike.
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

// glibc carries vectorised versions of these; declaring that lets loops over them be vectorised
// without -ffast-math, which would give up NaN and infinity.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__GLIBC__)
#if __GLIBC_PREREQ(2, 35)
#define SIMD __attribute__((simd("notinbranch")))
extern "C" {
SIMD float expf(float) noexcept; SIMD double exp(double) noexcept;
SIMD float logf(float) noexcept; SIMD double log(double) noexcept;
SIMD float log1pf(float) noexcept; SIMD double log1p(double) noexcept;
SIMD float expm1f(float) noexcept; SIMD double expm1(double) noexcept;
SIMD float exp2f(float) noexcept; SIMD double exp2(double) noexcept;
SIMD float log2f(float) noexcept; SIMD double log2(double) noexcept;
SIMD float log10f(float) noexcept; SIMD double log10(double) noexcept;
SIMD float sinf(float) noexcept; SIMD double sin(double) noexcept;
SIMD float cosf(float) noexcept; SIMD double cos(double) noexcept;
SIMD float tanf(float) noexcept; SIMD double tan(double) noexcept;
SIMD float tanhf(float) noexcept; SIMD double tanh(double) noexcept;
SIMD float sinhf(float) noexcept; SIMD double sinh(double) noexcept;
SIMD float coshf(float) noexcept; SIMD double cosh(double) noexcept;
SIMD float atanf(float) noexcept; SIMD double atan(double) noexcept;
SIMD float erff(float) noexcept; SIMD double erf(double) noexcept;
SIMD float erfcf(float) noexcept; SIMD double erfc(double) noexcept;
SIMD float powf(float, float) noexcept; SIMD double pow(double, double) noexcept;
}
#endif
#endif

#ifdef _OPENMP
extern "C" int omp_get_num_threads(void);
#else
static inline int omp_get_num_threads() { return 1; }
#endif

// What torch would have raised an error for; it stops the steps. Each call has a place for it, which
// the threads of the call share.
enum { NO_PROBLEM = 0, INDEX_OUTSIDE = 1, DIVISION_BY_ZERO = 2 };
static inline void m_report(int32_t* problem, int32_t what) {
  __atomic_store_n(problem, what, __ATOMIC_RELAXED);
}

// A place in a dimension, counted from its end where it is negative.
static inline int64_t m_place(int64_t index, int64_t size, int32_t* problem) {
  if (index < 0) index += size;
  if (index >= 0 && index < size) return index;
  m_report(problem, INDEX_OUTSIDE);
  return 0;
}

#define UNARY(name)                                             \
  static inline float m_##name(float x) { return ::name##f(x); } \
  static inline double m_##name(double x) { return ::name(x); }
UNARY(sqrt) UNARY(exp2) UNARY(expm1) UNARY(log) UNARY(log1p) UNARY(log2) UNARY(log10)
UNARY(sin) UNARY(cos) UNARY(tan) UNARY(asin) UNARY(acos) UNARY(atan) UNARY(sinh) UNARY(cosh)
UNARY(tanh) UNARY(asinh) UNARY(acosh) UNARY(atanh) UNARY(erf) UNARY(erfc) UNARY(lgamma)
UNARY(floor) UNARY(ceil) UNARY(trunc)
#undef UNARY
// Whole numbers are as they are.
template <class T> static inline T m_floor(T x) { return x; }
template <class T> static inline T m_ceil(T x) { return x; }
template <class T> static inline T m_trunc(T x) { return x; }
template <class T> static inline T m_round(T x) { return x; }
// What comes to nothing, as in the far corners of a covariance, would leave the vectorised version.
static inline float m_exp(float x) {
  const bool nothing = x < -104;
  const float y = ::expf(nothing ? 0 : x);
  return nothing ? 0 : y;
}
static inline double m_exp(double x) {
  const bool nothing = x < -746;
  const double y = ::exp(nothing ? 0 : x);
  return nothing ? 0 : y;
}
static inline float m_round(float x) { return ::nearbyintf(x); }
static inline double m_round(double x) { return ::nearbyint(x); }

static inline float m_pow(float x, float y) { return ::powf(x, y); }
static inline double m_pow(double x, double y) { return ::pow(x, y); }
template <class T> static inline T m_pow(T x, T y) {  // whole numbers
  if (y < 0) return x == 1 ? 1 : x == T(-1) ? (y % 2 ? x : T(1)) : 0;
  uint64_t result = 1, factor = uint64_t(x), power = uint64_t(y);
  for (; power; power >>= 1, factor *= factor)
    if (power & 1) result *= factor;
  return T(result);
}
static inline float m_atan2(float x, float y) { return ::atan2f(x, y); }
static inline double m_atan2(double x, double y) { return ::atan2(x, y); }
static inline float m_fmod(float x, float y, int32_t*) { return ::fmodf(x, y); }
static inline double m_fmod(double x, double y, int32_t*) { return ::fmod(x, y); }
template <class T> static inline T m_fmod(T x, T y, int32_t* problem) {  // whole numbers
  if (y == 0) m_report(problem, DIVISION_BY_ZERO);
  return y == 0 || (y < 0 && y == T(-1)) ? T(0) : T(x % y);  // the least number % -1 is a trap
}
template <class T> static inline T m_remainder(T x, T y, int32_t* problem) {
  T rest = m_fmod(x, y, problem);
  return rest != 0 && ((rest < 0) != (y < 0)) ? T(rest + y) : rest;
}

static inline bool m_not(bool x) { return !x; }
template <class T> static inline T m_not(T x) { return ~x; }
template <class T> static inline T m_abs(T x) { return x < 0 ? T(-x) : x; }
template <class T> static inline T m_sign(T x) { return T((x > 0) - (x < 0)); }
template <class T> static inline T m_square(T x) { return x * x; }
template <class T> static inline T m_rsqrt(T x) { return 1 / m_sqrt(x); }
template <class T> static inline T m_sigmoid(T x) { return 1 / (1 + m_exp(-x)); }
template <class T> static inline bool m_isnan(T x) { return x != x; }
template <class T> static inline bool m_isinf(T x) {
  using limits = std::numeric_limits<T>;
  return limits::has_infinity && (x == limits::infinity() || x == -limits::infinity());
}
// NaN goes through both, as in torch. In this form loops over them are vectorised.
template <class T, class U> static inline T m_maximum(T x, U other) {
  const T y = T(other), greater = x < y ? y : x;
  return y != y ? y : greater;
}
template <class T, class U> static inline T m_minimum(T x, U other) {
  const T y = T(other), less = y < x ? y : x;
  return y != y ? y : less;
}
#pragma omp declare reduction(m_maximum : float, double, int64_t, int32_t, uint8_t, bool : \
                              omp_out = m_maximum(omp_out, omp_in)) initializer(omp_priv = omp_orig)
#pragma omp declare reduction(m_minimum : float, double, int64_t, int32_t, uint8_t, bool : \
                              omp_out = m_minimum(omp_out, omp_in)) initializer(omp_priv = omp_orig)

// The logarithmic derivative of the gamma function: recurrence up to 6, then Stirling's series
// (Abramowitz and Stegun 6.3.5, 6.3.18); reflection below zero (6.3.7).
static inline double m_digamma(double x) {
  double reflected = 0;
  if (x <= 0) {
    if (x == ::floor(x)) return x == 0 ? -std::copysign(INFINITY, x) : NAN;
    reflected = -M_PI / ::tan(M_PI * (x - ::trunc(x)));
    x = 1 - x;
  }
  double below = 0;
  while (x < 10) below -= 1 / x, x += 1;
  const double y = 1 / (x * x);
  const double series = y * (1.0 / 12 - y * (1.0 / 120 - y * (1.0 / 252 - y * (1.0 / 240
      - y * (1.0 / 132 - y * (691.0 / 32760 - y / 12))))));
  return reflected + below + ::log(x) - 0.5 / x - series;
}
static inline float m_digamma(float x) { return float(m_digamma(double(x))); }

// Where a running maximum and minimum start.
template <class T> static constexpr T lowest() {
  using limits = std::numeric_limits<T>;
  return limits::has_infinity ? T(-limits::infinity()) : limits::lowest();
}
template <class T> static constexpr T highest() {
  using limits = std::numeric_limits<T>;
  return limits::has_infinity ? limits::infinity() : limits::max();
}
