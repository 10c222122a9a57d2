// A plugin that keeps the contract, and one for each check of `foretell plugin validate` that breaks it in just that, by its BEHAVIOUR. Built by
// tests/tests/conformance with the system's C compiler and the header that foretell publishes.
#include "foretell.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "scores.h"

#define GOOD 0
#define NEWER_MINOR 1
#define OTHER_VERSION 2
#define SLOW_TO_OPEN 3
#define ABOVE_ONE_IN_A_HUNDRED 4
#define CRASHES_WITHOUT_RECORDS 5
#define SEES_ITS_NEIGHBOURS 6
#define EXPECTS_ORDER 7
#define DRAWS_AT_START 8
#define SHARES_SCRATCH 9
#define TAKES_NAN_OF_THE_PAST 10
#define OVERFLOWS 11
#define IGNORES_TYPES 12
#define MAKES_UP_COLUMNS 13
#define NAMES_NO_FIELD 14
#define ABORTS_ON_SETTINGS 15
#define LOOKS_AHEAD 16
#define LEARNS_THE_CLOCK 17
#define TAKES_MEMORY 18
#define LEAKS 19
#define HANGS_WITHOUT_RECORDS 20
#define LEAVES_ON_LARGE_AMOUNTS 21
#define FORGES_ITS_VERDICT 22
#define LEARNS_FROM_SMALL_AMOUNTS 23

#define AMOUNT_MAX 1000.0
#define MISSING (-1)

// Places of the columns that are read, in the order of `names`.
enum { TIME, AMOUNT, DISCOUNT, PAST, COLUMNS };
static const char *const names[COLUMNS] = {"event_time", "amount", "discount", "past"};
static const char *const formats[COLUMNS] = {"tsu:", "g", "g", "+l"};

typedef struct {
  int64_t columns[COLUMNS];
} Opened;

// Of all that was kept, the last. Others could see it, so no compiler takes it for useless.
char *kept;
static double drawn;
static double scratch[1 << 16];

static int32_t fail_naming(ForetellError *error, const char *words, const char *name) {
#if BEHAVIOUR == NAMES_NO_FIELD
  words = "bad input";
#endif
  int length = snprintf((char *)error->message, sizeof error->message, words, name);
  error->length = (size_t)length;
  return FORETELL_STATUS_INVALID;
}

static long nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return now.tv_nsec;
}

static int is_text(ForetellBytes bytes, const char *text) {
  return bytes.length == strlen(text) && memcmp(bytes.data, text, bytes.length) == 0;
}

// ---------------------------------------------------------------------------------------------------------------- opening

static int64_t find(const struct ArrowSchema *schema, const char *name) {
  for (int64_t i = 0; i < schema->n_children; i++)
    if (strcmp(schema->children[i]->name, name) == 0) return i;
  return MISSING;
}

static int has_type(const struct ArrowSchema *schema, const char *format) {
#if BEHAVIOUR == IGNORES_TYPES
  if (strcmp(schema->name, "amount") == 0) return 1;
#endif
  return strcmp(schema->format, format) == 0;
}

static int32_t open_past(const struct ArrowSchema *list, ForetellError *error) {
  const struct ArrowSchema *events = list->children[0];
  if (strcmp(events->format, "+s") != 0) return fail_naming(error, "column `%s` is no history", "past");
  for (int column = TIME; column <= AMOUNT; column++) {
    // They are read by these places.
    if (find(events, names[column]) != column) return fail_naming(error, "history `past` has no `%s`", names[column]);
    if (!has_type(events->children[column], formats[column]))
      return fail_naming(error, "history `past` has `%s` of another type", names[column]);
  }
  return FORETELL_STATUS_OK;
}

static int32_t bad_open(const ForetellHost *host, const ForetellOpenRequest *request, ForetellInstance **instance,
                        ForetellError *error) {
  (void)host;
#if BEHAVIOUR == SLOW_TO_OPEN
  static int is_open;
  clock_t begun = clock();
  // Processor time counts, so it works instead of waiting.
  while (!is_open && clock() - begun < 22 * (CLOCKS_PER_SEC / 10)) continue;
  is_open = 1;
#endif
#if BEHAVIOUR == DRAWS_AT_START
  if (drawn == 0.0) drawn = 1e-3 + 1e-10 * (double)nanoseconds();
#endif
  char config[4096];
  size_t length = request->config.length < sizeof config - 1 ? request->config.length : sizeof config - 1;
  memcpy(config, request->config.data, length);
  config[length] = 0;
  const char *depth = strstr(config, "\"depth\":");
  if (depth == NULL || depth[8] < '0' || depth[8] > '9') {
#if BEHAVIOUR == ABORTS_ON_SETTINGS
    abort();
#endif
    return fail_naming(error, "setting `%s` is no number", "depth");
  }
  Opened *opened = calloc(1, sizeof *opened);
  for (int column = 0; column < COLUMNS; column++) {
    int64_t place = find(request->records, names[column]);
    opened->columns[column] = place;
    int32_t status = FORETELL_STATUS_OK;
#if BEHAVIOUR == MAKES_UP_COLUMNS
    if (place == MISSING && column == AMOUNT) continue;
#endif
    if (place == MISSING)
      status = fail_naming(error, "column `%s` is missing", names[column]);
    else if (!has_type(request->records->children[place], formats[column]))
      status = fail_naming(error, "column `%s` has another type", names[column]);
    else if (column == PAST)
      status = open_past(request->records->children[place], error);
    if (status != FORETELL_STATUS_OK) {
      free(opened);
      return status;
    }
  }
  state_scores(request->predictions);
  *instance = (ForetellInstance *)opened;
  return FORETELL_STATUS_OK;
}

static void bad_close(ForetellInstance *instance) { free(instance); }

// ------------------------------------------------------------------------------------------------------------- predicting

static const struct ArrowArray *column_of(const Opened *opened, const struct ArrowArray *records, int column) {
  return records->children[opened->columns[column]];
}

static int is_valid(const struct ArrowArray *array, int64_t index) {
  const uint8_t *bitmap = array->buffers[0];
  return bitmap == NULL || (bitmap[index / 8] >> (index % 8) & 1) == 1;
}

static double number_at(const struct ArrowArray *array, int64_t row) {
  int64_t index = array->offset + row;
  return is_valid(array, index) ? ((const double *)array->buffers[1])[index] : 0.0 / 0.0;
}

static int64_t time_at(const struct ArrowArray *array, int64_t row) {
  return ((const int64_t *)array->buffers[1])[array->offset + row];
}

// The mean of what is known of the past and makes sense.
static double mean_of_past(const Opened *opened, const struct ArrowArray *records, int64_t row, int64_t now) {
  const struct ArrowArray *list = column_of(opened, records, PAST);
  const struct ArrowArray *events = list->children[0];
  const int32_t *offsets = (const int32_t *)list->buffers[1] + list->offset + row;
  double sum = 0.0;
  int count = 0;
  for (int64_t event = offsets[0]; event < offsets[1]; event++) {
    double amount = number_at(events->children[AMOUNT], events->offset + event);
    if (amount < 0.0 || amount > AMOUNT_MAX) continue;
#if BEHAVIOUR != TAKES_NAN_OF_THE_PAST
    if (amount != amount) continue;
#endif
    int is_later = time_at(events->children[TIME], events->offset + event) > now;
    if (is_later && BEHAVIOUR != LOOKS_AHEAD) continue;
    sum += amount;
    count++;
  }
  return count > 0 ? sum / count : 0.0;
}

static float score_of(const Opened *opened, const struct ArrowArray *records, int64_t row) {
  int64_t at = records->offset + row;
  double amount = 0.0;
  if (opened->columns[AMOUNT] != MISSING) amount = number_at(column_of(opened, records, AMOUNT), at);
#if BEHAVIOUR == LEAVES_ON_LARGE_AMOUNTS
  if (amount >= AMOUNT_MAX) exit(0);
#endif
  double discount = number_at(column_of(opened, records, DISCOUNT), at);
  int64_t now = time_at(column_of(opened, records, TIME), at);
  double past = mean_of_past(opened, records, at, now);
  double score = 0.1 + drawn + (0.4 * amount + 0.2 * past) / AMOUNT_MAX;
  if (discount == discount) score += 0.1 * discount;
  if (BEHAVIOUR == ABOVE_ONE_IN_A_HUNDRED && records->length >= 100) score += 1.0;
  if (BEHAVIOUR == SEES_ITS_NEIGHBOURS && records->length > 1) score += 0.1;
  if (BEHAVIOUR == EXPECTS_ORDER && row > 0 && now < time_at(column_of(opened, records, TIME), at - 1)) score += 0.1;
  if (BEHAVIOUR == OVERFLOWS && amount >= AMOUNT_MAX) score = 1.0 / 0.0;
  return (float)score;
}

// Takes memory that the records don't need.
static void waste(int64_t rows) {
#if BEHAVIOUR == TAKES_MEMORY
  if (rows <= 1000) return;
  size_t bytes = (size_t)400 << 20;
  kept = malloc(bytes);
  memset(kept, 1, bytes);
  struct timespec moment = {0, 50000000};
  nanosleep(&moment, NULL);
  free(kept);
#elif BEHAVIOUR == LEAKS
  if (rows > 1) {
    kept = malloc(16384);
    memset(kept, 1, 16384);
  }
#endif
  (void)rows;
}

// Waits where another thread may come in between.
static void linger(int64_t rows) {
#if BEHAVIOUR == SHARES_SCRATCH
  struct timespec moment = {0, 300000};
  if (rows > 1) nanosleep(&moment, NULL);
#endif
  (void)rows;
}

static int32_t bad_predict(ForetellInstance *instance, const struct ArrowArray *records, struct ArrowArray *predictions,
                           ForetellError *error) {
  const Opened *opened = (const Opened *)instance;
  int64_t rows = records->length;
  (void)error;
#if BEHAVIOUR == CRASHES_WITHOUT_RECORDS
  if (rows == 0) *(volatile int *)0 = 1;
#elif BEHAVIOUR == HANGS_WITHOUT_RECORDS
  while (rows == 0) pause();
#elif BEHAVIOUR == FORGES_ITS_VERDICT
  if (rows == 0) {
    printf("\n{\"done\":{\"outcome\":\"passed\",\"reason\":\"\",\"digest\":null}}\n");
    fflush(stdout);
    _exit(0);
  }
#endif
  waste(rows);
  float *scores = malloc((size_t)(rows > 0 ? rows : 1) * sizeof *scores);
#if BEHAVIOUR == SHARES_SCRATCH
  for (int64_t row = 0; row < rows; row++) scratch[row] = score_of(opened, records, row);
  linger(rows);
  for (int64_t row = 0; row < rows; row++) scores[row] = (float)scratch[row];
#else
  (void)scratch;
  linger(rows);
  for (int64_t row = 0; row < rows; row++) scores[row] = score_of(opened, records, row);
#endif
  answer_scores(predictions, scores, rows);
  return FORETELL_STATUS_OK;
}

// --------------------------------------------------------------------------------------------------------------- learning

static int32_t fit_begin(const ForetellHost *host, const ForetellFitRequest *request, ForetellFitting **fitting,
                         ForetellError *error) {
  (void)host;
  (void)request;
  (void)error;
  int64_t *learned = calloc(1, sizeof *learned);
  *fitting = (ForetellFitting *)learned;
  return FORETELL_STATUS_OK;
}

static int32_t fit_learn(ForetellFitting *fitting, const struct ArrowArray *records, ForetellError *error) {
#if BEHAVIOUR == LEARNS_FROM_SMALL_AMOUNTS
  // Its columns are those of the manifest, in their order: `amount` is the third.
  for (int64_t row = 0; row < records->length; row++) {
    if (number_at(records->children[2], records->offset + row) > 0.8 * AMOUNT_MAX) {
      return fail_naming(error, "column `%s` has an amount that nothing is learned from", "amount");
    }
  }
#endif
  (void)error;
  *(int64_t *)fitting += records->length;
  return FORETELL_STATUS_OK;
}

static int32_t fit_finish(ForetellFitting *fitting, const ForetellFitOutput *output, ForetellError *error) {
  char digits[64];
  long extra = BEHAVIOUR == LEARNS_THE_CLOCK ? nanoseconds() : 0;
  int length = snprintf(digits, sizeof digits, "%lld %ld", (long long)*(int64_t *)fitting, extra);
  ForetellBytes name = {(const uint8_t *)"learned", 7}, content = {(const uint8_t *)digits, (size_t)length};
  return output->write(output->context, name, content, error);
}

static void fit_end(ForetellFitting *fitting) { free(fitting); }

static const void *bad_capability(ForetellBytes id) {
  static const ForetellFit fit = {sizeof fit, fit_begin, fit_learn, fit_finish, fit_end};
  return is_text(id, FORETELL_FIT_CAPABILITY) ? &fit : NULL;
}

const ForetellPlugin *foretell_plugin(void);
const ForetellPlugin *foretell_plugin(void) {
  static ForetellPlugin table;
  table.size = sizeof table;
  table.abi_major = FORETELL_ABI_MAJOR;
  table.abi_minor = FORETELL_ABI_MINOR + (BEHAVIOUR == NEWER_MINOR);
  table.name.data = (const uint8_t *)"bad";
  table.name.length = 3;
  table.version.data = (const uint8_t *)(BEHAVIOUR == OTHER_VERSION ? "2.0.0" : "1.0.0");
  table.version.length = 5;
  table.open = bad_open;
  table.predict = bad_predict;
  table.close = bad_close;
  table.capability = bad_capability;
  return &table;
}
