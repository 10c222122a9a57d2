// Learning and reading data: what keeps the contract, and what breaks it. Part of hostile.c.

#define LEARNS 30
#define NO_CAPABILITY 31
#define SMALL_FIT_TABLE 32
#define NO_BEGIN 33
#define NO_LEARN 34
#define NO_FINISH 35
#define NO_END 36
#define REFUSES_TO_BEGIN 37
#define BEGINS_WITH_NOTHING 38
#define FAILS_TO_LEARN 39
#define FAILS_TO_LEARN_WITHOUT_WORDS 40
#define FAILS_TO_FINISH 41
#define WRITES_UNLISTED 42
#define IGNORES_REFUSAL 43
#define WRITES_WITHOUT_ERROR 44
#define WRITES_NOTHING 45
#define WRITES_EMPTY 46
#define WRITES_TOO_MUCH 47
#define APPENDS_TOO_MUCH 48
#define WRITES_FROM_NULL 49
#define READS_UNKNOWN_DATA 50
#define READS_TO_NOWHERE 51
#define OPENS_DATA_AS_NETWORK 52
#define ASKS_FOR_UNKNOWN_CAPABILITY 53

static ForetellBytes text(const char *words) {
  ForetellBytes bytes = {(const uint8_t *)words, strlen(words)};
  return bytes;
}

static const ForetellHostData *host_data(const ForetellHost *host) {
  const ForetellHostData *data = host->capability(host->context, text(FORETELL_DATA_CAPABILITY));
  return data != NULL && data->size >= sizeof *data ? data : NULL;
}

// The number in the file `pairs`; zero when it is empty.
static int64_t known(const ForetellHost *host, int32_t *status, ForetellError *error) {
  ForetellBytes bytes = {NULL, 0};
  *status = host_data(host)->read(host->context, text("pairs"), &bytes, error);
  int64_t number = 0;
  for (size_t i = 0; i < bytes.length; i++) number = 10 * number + bytes.data[i] - '0';
  return number;
}

// Breaks the contract of the host's data, or does nothing.
static int32_t misread(const ForetellHost *host, ForetellError *error) {
  ForetellBytes bytes;
  const ForetellModel *model;
  (void)bytes;
  (void)model;
  switch (BEHAVIOUR) {
  case READS_UNKNOWN_DATA:
    return host_data(host)->read(host->context, text("pears"), &bytes, error);
  case READS_TO_NOWHERE:
    return host_data(host)->read(host->context, text("pairs"), NULL, error);
  case OPENS_DATA_AS_NETWORK:
    return host->model_open(host->context, text("pairs"), &model, error);
  case ASKS_FOR_UNKNOWN_CAPABILITY:
    return host->capability(host->context, text("foretell.data/2")) == NULL ? fail(error, "there is no such capability")
                                                                            : FORETELL_STATUS_OK;
  default:
    return FORETELL_STATUS_OK;
  }
}

// One learning at a time: a host that forgets to end it is told so.
static struct {
  const ForetellHost *host;
  int64_t count;
  int is_alive;
} learning;

static int32_t fit_begin(const ForetellHost *host, const ForetellFitRequest *request, ForetellFitting **fitting,
                         ForetellError *error) {
  if (BEHAVIOUR == REFUSES_TO_BEGIN) return fail(error, "setting `depth` is missing; expected a number");
  if (BEHAVIOUR == BEGINS_WITH_NOTHING) return FORETELL_STATUS_OK;
  if (learning.is_alive) return fail(error, "the learning before was never ended");
  int32_t status = FORETELL_STATUS_OK;
  learning.host = host;
  learning.count = request->update ? known(host, &status, error) : (int64_t)request->seed;
  if (status != FORETELL_STATUS_OK) return status;
  learning.is_alive = 1;
  *fitting = (ForetellFitting *)&learning;
  return FORETELL_STATUS_OK;
}

static int32_t fit_learn(ForetellFitting *fitting, const struct ArrowArray *records, ForetellError *error) {
  (void)fitting;
  if (learning.host->is_cancelled(learning.host->context)) return FORETELL_STATUS_CANCELLED;
  if (BEHAVIOUR == FAILS_TO_LEARN) return fail(error, "record 3 makes no sense");
  if (BEHAVIOUR == FAILS_TO_LEARN_WITHOUT_WORDS) return 77;
  learning.count += records->length;
  return FORETELL_STATUS_OK;
}

static int32_t fit_finish(ForetellFitting *fitting, const ForetellFitOutput *output, ForetellError *error) {
  (void)fitting;
  ForetellBytes wild = {(const uint8_t *)"wild", SIZE_MAX};
  switch (BEHAVIOUR) {
  case FAILS_TO_FINISH:
    return fail(error, "too little was learned");
  case WRITES_UNLISTED:
    return output->write(output->context, text("pears"), text("7"), error);
  case IGNORES_REFUSAL:
    output->write(output->context, text("pears"), text("7"), error);
    break;
  case WRITES_WITHOUT_ERROR:
    return output->write(output->context, text("pears"), text("7"), NULL);
  case WRITES_NOTHING:
    return FORETELL_STATUS_OK;
  case WRITES_EMPTY:
    wild.data = NULL;
    wild.length = 0;
    return output->write(output->context, text("pairs"), wild, error);
  case WRITES_TOO_MUCH:
    return output->write(output->context, text("pairs"), wild, error);
  case APPENDS_TOO_MUCH:
    output->write(output->context, text("pairs"), text("7"), error);
    wild.length = INT32_MAX;
    return output->write(output->context, text("pairs"), wild, error);
  case WRITES_FROM_NULL:
    wild.data = NULL;
    wild.length = 5;
    return output->write(output->context, text("pairs"), wild, error);
  }
  char digits[32];
  int count = snprintf(digits, sizeof digits, "%lld", (long long)learning.count);
  // Digit by digit: repeated writes append.
  for (int i = 0; i < count; i++) {
    ForetellBytes digit = {(const uint8_t *)digits + i, 1};
    int32_t status = output->write(output->context, text("pairs"), digit, error);
    if (status != FORETELL_STATUS_OK) return status;
  }
  return FORETELL_STATUS_OK;
}

static void fit_end(ForetellFitting *fitting) {
  (void)fitting;
  learning.is_alive = 0;
}

static const void *fit_capability(ForetellBytes id) {
  static ForetellFit table;
  ForetellBytes wanted = text(FORETELL_FIT_CAPABILITY);
  if (BEHAVIOUR < LEARNS || id.length != wanted.length || memcmp(id.data, wanted.data, id.length) != 0) return NULL;
  table.size = BEHAVIOUR == SMALL_FIT_TABLE ? sizeof table - 1 : sizeof table;
  table.begin = BEHAVIOUR == NO_BEGIN ? NULL : fit_begin;
  table.learn = BEHAVIOUR == NO_LEARN ? NULL : fit_learn;
  table.finish = BEHAVIOUR == NO_FINISH ? NULL : fit_finish;
  table.end = BEHAVIOUR == NO_END ? NULL : fit_end;
  return &table;
}
