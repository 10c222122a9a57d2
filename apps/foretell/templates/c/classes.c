// {{name}}: {{description}}.
//
// The host gives the plugin columns, the plugin makes a tensor of them, and the host runs the network. What the plugin may ask for
// stands in plugin.toml; what is passed, and who frees it, in foretell.h.
#include "foretell.h"
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME "{{name}}"
#define VERSION "0.1.0"
// Numbers of a prediction: a score for each label of the manifest, sun, cloud, rain.
#define WIDTH 3

// Columns that the plugin reads, in the order in which the network takes them.
static const char *const COLUMNS[] = {"temperature", "humidity"};
#define FEATURES (sizeof COLUMNS / sizeof *COLUMNS)

// An instance: where the columns stand among those of a record, and the network.
typedef struct {
  const ForetellHost *host;
  const ForetellModel *network;
  int64_t columns[FEATURES];
} Weather;

// Says why a call fails. The text names a column or a row, and never what a record holds.
static ForetellStatus fail(ForetellError *error, ForetellStatus status, const char *words, const char *column, int64_t row) {
  int length = snprintf((char *)error->message, sizeof error->message, words, column, (long long)row);
  bool is_cut = length >= (int)sizeof error->message;
  error->length = length < 0 ? 0 : is_cut ? sizeof error->message - 1 : (size_t)length;
  return status;
}

static ForetellBytes bytes(const char *text) {
  ForetellBytes bytes = {(const uint8_t *)text, strlen(text)};
  return bytes;
}

// --- What is handed to the host: it calls `release` once for each struct, and the children are ours until then.

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

// Fills a type with room for one child, or for none. False where memory is out; then nothing is left to be freed.
static bool fill_schema(struct ArrowSchema *schema, const char *format, const char *name, int64_t children) {
  memset(schema, 0, sizeof *schema);
  schema->format = format;
  schema->name = name;
  if (children == 1) {
    schema->children = malloc(sizeof *schema->children);
    if (!schema->children) return false;
    schema->children[0] = calloc(1, sizeof **schema->children);
    if (!schema->children[0]) {
      free(schema->children);
      return false;
    }
  }
  schema->n_children = children;
  schema->release = release_schema;
  return true;
}

// The same for an array of `rows` rows; the first buffer, which says what is missing, stays null.
static bool fill_array(struct ArrowArray *array, int64_t rows, int64_t buffers, int64_t children) {
  memset(array, 0, sizeof *array);
  array->length = rows;
  array->buffers = calloc((size_t)buffers, sizeof *array->buffers);
  if (!array->buffers) return false;
  if (children == 1) {
    array->children = malloc(sizeof *array->children);
    if (array->children) array->children[0] = calloc(1, sizeof **array->children);
    if (!array->children || !array->children[0]) {
      free(array->children);
      free(array->buffers);
      return false;
    }
  }
  array->n_buffers = buffers;
  array->n_children = children;
  array->release = release_array;
  return true;
}

// The type of the predictions, as the task fixes it: a struct of one column of lists of float32, a number for each label.
static bool state_predictions(struct ArrowSchema *schema) {
  if (!fill_schema(schema, "+s", "", 1)) return false;
  struct ArrowSchema *scores = schema->children[0];
  if (!fill_schema(scores, "+w:3", "scores", 1) || !fill_schema(scores->children[0], "f", "item", 0)) {
    schema->release(schema);
    return false;
  }
  return true;
}

// The predictions, over `numbers`, which become the host's. False where memory is out; then `numbers` are freed.
static bool answer(struct ArrowArray *predictions, float *numbers, int64_t rows) {
  if (!fill_array(predictions, rows, 1, 1)) {
    free(numbers);
    return false;
  }
  struct ArrowArray *scores = predictions->children[0];
  if (!fill_array(scores, rows, 1, 1) || !fill_array(scores->children[0], rows * WIDTH, 2, 0)) {
    free(numbers);
    predictions->release(predictions);
    return false;
  }
  scores->children[0]->buffers[1] = numbers;
  return true;
}

// --- What the host calls.

static ForetellStatus weather_open(const ForetellHost *host, const ForetellOpenRequest *request, ForetellInstance **instance,
                                   ForetellError *error) {
  Weather *weather = calloc(1, sizeof *weather);
  if (!weather) return fail(error, FORETELL_STATUS_FAILED, "out of memory", "", 0);
  weather->host = host;
  for (size_t feature = 0; feature < FEATURES; feature++) {
    int64_t column = 0;
    while (column < request->records->n_children && strcmp(request->records->children[column]->name, COLUMNS[feature]) != 0)
      column++;
    // `g` is Arrow's name for float64.
    if (column == request->records->n_children || strcmp(request->records->children[column]->format, "g") != 0) {
      free(weather);
      return fail(error, FORETELL_STATUS_INVALID, "expected a column `%s` of type float64", COLUMNS[feature], 0);
    }
    weather->columns[feature] = column;
  }
  ForetellStatus status = host->model_open(host->context, bytes("network"), &weather->network, error);
  if (status == FORETELL_STATUS_OK && !state_predictions(request->predictions))
    status = fail(error, FORETELL_STATUS_FAILED, "out of memory", "", 0);
  if (status != FORETELL_STATUS_OK) {
    free(weather);
    return status;
  }
  *instance = (ForetellInstance *)weather;
  return FORETELL_STATUS_OK;
}

// Writes the network's input, record by record.
static ForetellStatus read_features(const Weather *weather, const struct ArrowArray *records, float *features,
                                    ForetellError *error) {
  for (size_t feature = 0; feature < FEATURES; feature++) {
    const struct ArrowArray *column = records->children[weather->columns[feature]];
    // A bit for each row, one where there is a value; no bits at all where nothing is missing.
    const uint8_t *present = column->buffers[0];
    const double *numbers = column->buffers[1];
    for (int64_t row = 0; row < records->length; row++) {
      int64_t place = records->offset + column->offset + row;
      bool is_missing = present && !(present[place / 8] >> (place % 8) & 1);
      float number = is_missing ? NAN : (float)numbers[place];
      if (!isfinite(number))
        return fail(error, FORETELL_STATUS_INVALID, "column `%s` has no finite number in row %lld", COLUMNS[feature], row);
      features[(size_t)row * FEATURES + feature] = number;
    }
  }
  return FORETELL_STATUS_OK;
}

static DLTensor floats(float *data, int64_t *shape, int32_t dimensions) {
  // Device 1 is main memory; type 2 of 32 bits is float32. Without strides, rows follow each other.
  DLTensor tensor = {.data = data, .device = {1, 0}, .ndim = dimensions, .dtype = {2, 32, 1}, .shape = shape};
  return tensor;
}

static ForetellStatus weather_predict(ForetellInstance *instance, const struct ArrowArray *records,
                                      struct ArrowArray *predictions, ForetellError *error) {
  // Called from several threads at once: nothing of the instance is changed.
  const Weather *weather = (const Weather *)instance;
  size_t rows = (size_t)records->length;
  // One number more, since of no bytes some systems give null.
  float *features = malloc((rows * FEATURES + 1) * sizeof *features);
  float *numbers = malloc((rows * WIDTH + 1) * sizeof *numbers);
  ForetellStatus status = FORETELL_STATUS_OK;
  if (!features || !numbers) status = fail(error, FORETELL_STATUS_FAILED, "out of memory", "", 0);
  if (status == FORETELL_STATUS_OK) status = read_features(weather, records, features, error);
  if (status == FORETELL_STATUS_OK && rows > 0) {
    int64_t input_shape[] = {records->length, FEATURES};
    int64_t output_shape[] = {records->length, WIDTH};
    DLTensor input = floats(features, input_shape, 2);
    DLTensor output = floats(numbers, output_shape, 2);
    const ForetellHost *host = weather->host;
    status = host->model_run(host->context, weather->network, &input, 1, &output, 1, error);
  }
  free(features);
  if (status != FORETELL_STATUS_OK) {
    free(numbers);
    return status;
  }
  if (!answer(predictions, numbers, records->length)) return fail(error, FORETELL_STATUS_FAILED, "out of memory", "", 0);
  return FORETELL_STATUS_OK;
}

static void weather_close(ForetellInstance *instance) { free(instance); }

static const void *weather_capability(ForetellBytes id) {
  (void)id;
  return NULL;
}

// The one symbol that a plugin exports.
const ForetellPlugin *foretell_plugin(void);
const ForetellPlugin *foretell_plugin(void) {
  static const ForetellPlugin PLUGIN = {
      .size = sizeof PLUGIN,
      .abi_major = FORETELL_ABI_MAJOR,
      .abi_minor = FORETELL_ABI_MINOR,
      .name = {(const uint8_t *)NAME, sizeof NAME - 1},
      .version = {(const uint8_t *)VERSION, sizeof VERSION - 1},
      .open = weather_open,
      .predict = weather_predict,
      .close = weather_close,
      .capability = weather_capability,
  };
  return &PLUGIN;
}
