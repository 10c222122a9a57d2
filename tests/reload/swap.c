// A plugin that gives every record the same score, in as many versions as a test builds. It says on standard error when an instance of it
// is opened and closed, and does not open where the environment names its version in SWAP_REFUSES.
#include "foretell.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../hostile/scores.h"

static int32_t swap_open(const ForetellHost *host, const ForetellOpenRequest *request, ForetellInstance **instance,
                         ForetellError *error) {
  (void)host;
  const char *refused = getenv("SWAP_REFUSES");
  if (refused && strcmp(refused, VERSION) == 0) return fail(error, "this version does not open here");
  state_scores(request->predictions);
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
  answer_scores(predictions, values, records->length);
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
