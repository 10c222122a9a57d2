// A plugin that gives every record the same score, in as many versions as a test builds. It says on standard error when an instance of it
// is opened and closed, and does not open where the environment names its version in SWAP_REFUSES.
#include "foretell.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void release_schema(struct ArrowSchema *schema) {
  free(schema->children[0]);
  free(schema->children);
  schema->release = NULL;
}

static void release_array(struct ArrowArray *array) {
  struct ArrowArray *scores = array->children[0];
  free((void *)scores->buffers[1]);
  free(scores->buffers);
  free(scores);
  free(array->children);
  free(array->buffers);
  array->release = NULL;
}

static int32_t swap_open(const ForetellHost *host, const ForetellOpenRequest *request, ForetellInstance **instance,
                         ForetellError *error) {
  (void)host;
  const char *refused = getenv("SWAP_REFUSES");
  if (refused && strcmp(refused, VERSION) == 0) {
    const char *words = "this version does not open here";
    error->length = strlen(words);
    memcpy(error->message, words, error->length);
    return FORETELL_STATUS_FAILED;
  }
  struct ArrowSchema *score = calloc(1, sizeof *score);
  score->format = "f";
  score->name = "score";
  struct ArrowSchema *schema = request->predictions;
  memset(schema, 0, sizeof *schema);
  schema->format = "+s";
  schema->name = "";
  schema->n_children = 1;
  schema->children = calloc(1, sizeof *schema->children);
  schema->children[0] = score;
  schema->release = release_schema;
  *instance = malloc(1);
  fprintf(stderr, "swap %s is opened\n", VERSION);
  return FORETELL_STATUS_OK;
}

static int32_t swap_predict(ForetellInstance *instance, const struct ArrowArray *records, struct ArrowArray *predictions,
                            ForetellError *error) {
  (void)instance;
  (void)error;
  float *values = malloc((size_t)(records->length + 1) * sizeof *values);
  for (int64_t row = 0; row < records->length; row++) values[row] = SCORE;
  struct ArrowArray *scores = calloc(1, sizeof *scores);
  scores->length = records->length;
  scores->n_buffers = 2;
  scores->buffers = calloc(2, sizeof *scores->buffers);
  scores->buffers[1] = values;
  memset(predictions, 0, sizeof *predictions);
  predictions->length = records->length;
  predictions->n_buffers = 1;
  predictions->buffers = calloc(1, sizeof *predictions->buffers);
  predictions->n_children = 1;
  predictions->children = calloc(1, sizeof *predictions->children);
  predictions->children[0] = scores;
  predictions->release = release_array;
  return FORETELL_STATUS_OK;
}

static void swap_close(ForetellInstance *instance) {
  free(instance);
  fprintf(stderr, "swap %s is closed\n", VERSION);
}

static const void *swap_capability(ForetellBytes id) {
  (void)id;
  return NULL;
}

static const ForetellPlugin table = {
    .size = sizeof(ForetellPlugin),
    .abi_major = FORETELL_ABI_MAJOR,
    .abi_minor = FORETELL_ABI_MINOR,
    .name = {(const uint8_t *)"swap", 4},
    .version = {(const uint8_t *)VERSION, sizeof VERSION - 1},
    .open = swap_open,
    .predict = swap_predict,
    .close = swap_close,
    .capability = swap_capability,
};

const ForetellPlugin *foretell_plugin(void) { return &table; }
