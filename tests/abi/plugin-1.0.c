// A plugin of the day when the interface had the number 1.0. It uses everything of the host that a plugin could use then: a
// network, its data, the log, the question whether it is cancelled; and it learns.
#include "foretell-1.0.h"
#include <stdlib.h>
#include <string.h>

static const char NAME[] = "frozen";
static const char VERSION[] = "1.0.0";

typedef struct {
  const ForetellHost *host;
  const ForetellModel *network;
  const ForetellHostData *data;
} Frozen;

static ForetellBytes bytes(const char *text) {
  ForetellBytes bytes = {(const uint8_t *)text, strlen(text)};
  return bytes;
}

static ForetellStatus fail(ForetellError *error, ForetellStatus status, const char *words) {
  error->length = strlen(words);
  memcpy(error->message, words, error->length);
  return status;
}

static void release_schema(struct ArrowSchema *schema) {
  for (int64_t i = 0; i < schema->n_children; i++) {
    if (schema->children[i]->release) schema->children[i]->release(schema->children[i]);
    free(schema->children[i]);
  }
  free(schema->children);
  schema->release = NULL;
}

static void release_array(struct ArrowArray *array) {
  for (int64_t i = 0; i < array->n_children; i++) {
    if (array->children[i]->release) array->children[i]->release(array->children[i]);
    free(array->children[i]);
  }
  free(array->children);
  for (int64_t i = 0; i < array->n_buffers; i++) free((void *)array->buffers[i]);
  free(array->buffers);
  array->release = NULL;
}

// What was learned is one digit, by which scores are divided.
static ForetellStatus divisor(const Frozen *frozen, float *divisor, ForetellError *error) {
  ForetellBytes data = {NULL, 0};
  ForetellStatus status = frozen->data->read(frozen->host->context, bytes("digit"), &data, error);
  *divisor = status == FORETELL_STATUS_OK && data.length == 1 ? (float)(data.data[0] - '0') : 1.0f;
  return status;
}

static ForetellStatus frozen_open(const ForetellHost *host, const ForetellOpenRequest *request, ForetellInstance **instance,
                                  ForetellError *error) {
  // A later host has larger structs, and the same major number.
  if (host->size < sizeof *host || host->abi_major != FORETELL_ABI_MAJOR)
    return fail(error, FORETELL_STATUS_FAILED, "the host is older than this plugin");
  if (request->size < sizeof *request || request->records->n_children != 1 ||
      strcmp(request->records->children[0]->format, "g") != 0)
    return fail(error, FORETELL_STATUS_INVALID, "expected one column of type float64");
  if (request->config.length == 0 || request->config.data[0] != '{')
    return fail(error, FORETELL_STATUS_INVALID, "expected settings, a JSON object");
  Frozen *frozen = calloc(1, sizeof *frozen);
  frozen->host = host;
  frozen->data = host->capability(host->context, bytes(FORETELL_DATA_CAPABILITY));
  if (!frozen->data || frozen->data->size < sizeof *frozen->data) {
    free(frozen);
    return fail(error, FORETELL_STATUS_FAILED, "the host lends no data");
  }
  ForetellStatus status = host->model_open(host->context, bytes("network"), &frozen->network, error);
  if (status != FORETELL_STATUS_OK) {
    free(frozen);
    return status;
  }
  host->log(host->context, FORETELL_LOG_DEBUG, bytes("the frozen plugin is open"));
  struct ArrowSchema *schema = request->predictions;
  memset(schema, 0, sizeof *schema);
  schema->format = "+s";
  schema->name = "";
  schema->n_children = 1;
  schema->children = calloc(1, sizeof *schema->children);
  schema->children[0] = calloc(1, sizeof **schema->children);
  schema->children[0]->format = "f";
  schema->children[0]->name = "score";
  schema->children[0]->release = release_schema;
  schema->release = release_schema;
  *instance = (ForetellInstance *)frozen;
  return FORETELL_STATUS_OK;
}

static ForetellStatus frozen_predict(ForetellInstance *instance, const struct ArrowArray *records,
                                     struct ArrowArray *predictions, ForetellError *error) {
  const Frozen *frozen = (const Frozen *)instance;
  if (frozen->host->is_cancelled(frozen->host->context)) return FORETELL_STATUS_CANCELLED;
  float by = 1.0f;
  ForetellStatus status = divisor(frozen, &by, error);
  if (status != FORETELL_STATUS_OK) return status;
  const struct ArrowArray *column = records->children[0];
  const double *amounts = (const double *)column->buffers[1] + records->offset + column->offset;
  int64_t rows = records->length;
  float *input = calloc((size_t)rows + 1, sizeof *input), *scores = calloc((size_t)rows + 1, sizeof *scores);
  for (int64_t row = 0; row < rows; row++) input[row] = (float)amounts[row];
  if (rows > 0) {
    int64_t input_shape[] = {rows, 1}, output_shape[] = {rows};
    DLTensor given = {.data = input, .device = {1, 0}, .ndim = 2, .dtype = {2, 32, 1}, .shape = input_shape};
    DLTensor wanted = {.data = scores, .device = {1, 0}, .ndim = 1, .dtype = {2, 32, 1}, .shape = output_shape};
    status = frozen->host->model_run(frozen->host->context, frozen->network, &given, 1, &wanted, 1, error);
  }
  free(input);
  if (status != FORETELL_STATUS_OK) {
    free(scores);
    return status;
  }
  for (int64_t row = 0; row < rows; row++) scores[row] /= by;
  memset(predictions, 0, sizeof *predictions);
  predictions->length = rows;
  predictions->n_buffers = 1;
  predictions->buffers = calloc(1, sizeof *predictions->buffers);
  predictions->n_children = 1;
  predictions->children = calloc(1, sizeof *predictions->children);
  struct ArrowArray *child = predictions->children[0] = calloc(1, sizeof *child);
  child->length = rows;
  child->n_buffers = 2;
  child->buffers = calloc(2, sizeof *child->buffers);
  child->buffers[1] = scores;
  child->release = release_array;
  predictions->release = release_array;
  return FORETELL_STATUS_OK;
}

static void frozen_close(ForetellInstance *instance) { free(instance); }

// --- Learning: the number of records, 1 to 9.

static ForetellStatus fit_begin(const ForetellHost *host, const ForetellFitRequest *request, ForetellFitting **fitting,
                                ForetellError *error) {
  if (host->abi_major != FORETELL_ABI_MAJOR || request->size < sizeof *request)
    return fail(error, FORETELL_STATUS_FAILED, "the host is older than this plugin");
  *fitting = calloc(1, sizeof(int64_t));
  return FORETELL_STATUS_OK;
}

static ForetellStatus fit_learn(ForetellFitting *fitting, const struct ArrowArray *records, ForetellError *error) {
  (void)error;
  *(int64_t *)fitting += records->length;
  return FORETELL_STATUS_OK;
}

static ForetellStatus fit_finish(ForetellFitting *fitting, const ForetellFitOutput *output, ForetellError *error) {
  uint8_t digit = (uint8_t)('0' + *(int64_t *)fitting % 10);
  ForetellBytes content = {&digit, 1};
  return output->write(output->context, bytes("digit"), content, error);
}

static void fit_end(ForetellFitting *fitting) { free(fitting); }

static const void *frozen_capability(ForetellBytes id) {
  static const ForetellFit FIT = {sizeof FIT, fit_begin, fit_learn, fit_finish, fit_end};
  size_t length = strlen(FORETELL_FIT_CAPABILITY);
  return id.length == length && memcmp(id.data, FORETELL_FIT_CAPABILITY, length) == 0 ? &FIT : NULL;
}

const ForetellPlugin *foretell_plugin(void);
const ForetellPlugin *foretell_plugin(void) {
  static const ForetellPlugin PLUGIN = {
      .size = sizeof PLUGIN,
      .abi_major = FORETELL_ABI_MAJOR,
      .abi_minor = FORETELL_ABI_MINOR,
      .name = {(const uint8_t *)NAME, sizeof NAME - 1},
      .version = {(const uint8_t *)VERSION, sizeof VERSION - 1},
      .open = frozen_open,
      .predict = frozen_predict,
      .close = frozen_close,
      .capability = frozen_capability,
  };
  return &PLUGIN;
}
