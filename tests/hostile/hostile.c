// Plugins that break the contract, one for each BEHAVIOUR, and two that keep it. Built by tests/tests/hostile with the system's C compiler
// and the header that foretell publishes, so it proves the header as well.
#include "foretell.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WELL_BEHAVED 0
#define NULL_TABLE 1
#define SMALL_TABLE 2
#define OTHER_MAJOR 3
#define NEWER_MINOR 4
#define OTHER_NAME 5
#define NO_PREDICT 6
#define REFUSES_TO_OPEN 7
#define STATES_OTHER_SCHEMA 8
#define STATES_NO_SCHEMA 9
#define TOO_FEW_ROWS 10
#define TOO_MANY_ROWS 11
#define ANSWERS_NOTHING 12
#define ANSWERS_OTHER_SCHEMA 13
#define ANSWERS_NULL_BUFFER 14
#define ANSWERS_SHORT_CHILD 15
#define FAILS_WITHOUT_WORDS 16
#define LIES_ABOUT_LENGTH_OF_WORDS 17
#define ANSWERS_NAN 18
#define RUNS_UNKNOWN_MODEL 19
#define RUNS_BAD_TENSOR 20
#define NEGATIVE_LENGTH 21
#define NO_ENTRY 22

static const ForetellHost *host;

#include "scores.h"

#include "fit.h"

static int32_t hostile_open(const ForetellHost *given, const ForetellOpenRequest *request, ForetellInstance **instance,
                            ForetellError *error) {
  host = given;
#if BEHAVIOUR == REFUSES_TO_OPEN
  (void)request;
  (void)instance;
  return fail(error, "setting `depth` is missing; expected a number");
#else
  (void)error;
  *instance = (ForetellInstance *)1;
#if BEHAVIOUR != STATES_NO_SCHEMA
  state_scores(request->predictions);
  if (BEHAVIOUR == STATES_OTHER_SCHEMA) request->predictions->children[0]->format = "u";
#else
  (void)request;
#endif
  return FORETELL_STATUS_OK;
#endif
}

static int32_t hostile_predict(ForetellInstance *instance, const struct ArrowArray *records, struct ArrowArray *predictions,
                               ForetellError *error) {
  (void)instance;
#if BEHAVIOUR == FAILS_WITHOUT_WORDS
  (void)records;
  (void)predictions;
  (void)error;
  return 77;
#elif BEHAVIOUR == LIES_ABOUT_LENGTH_OF_WORDS
  (void)records;
  (void)predictions;
  error->length = (size_t)-1;
  return FORETELL_STATUS_FAILED;
#elif BEHAVIOUR == ANSWERS_NOTHING
  (void)records;
  (void)predictions;
  (void)error;
  return FORETELL_STATUS_OK;
#elif BEHAVIOUR == RUNS_UNKNOWN_MODEL
  (void)records;
  (void)predictions;
  return host->model_run(host->context, (const ForetellModel *)0xdead, NULL, 0, NULL, 0, error);
#elif BEHAVIOUR == RUNS_BAD_TENSOR
  (void)records;
  (void)predictions;
  const ForetellModel *model = NULL;
  ForetellBytes name = {(const uint8_t *)"network", 7};
  int32_t status = host->model_open(host->context, name, &model, error);
  if (status != FORETELL_STATUS_OK) return status;
  int64_t shape[2] = {INT64_MAX, INT64_MAX};
  DLTensor tensor = {.data = shape, .device = {1, 0}, .ndim = 2, .dtype = {2, 32, 1}, .shape = shape};
  return host->model_run(host->context, model, &tensor, 1, &tensor, 1, error);
#else
  int32_t status = misread(host, error);
  if (status != FORETELL_STATUS_OK) return status;
  float answer = BEHAVIOUR == ANSWERS_NAN ? 0.0f / 0.0f : 0.25f;
  // What was learned is what is answered.
  if (BEHAVIOUR == LEARNS) answer = (float)known(host, &status, error) / 1000;
  if (status != FORETELL_STATUS_OK) return status;
  int64_t rows = records->length;
#if BEHAVIOUR == TOO_FEW_ROWS
  rows -= 1;
#elif BEHAVIOUR == TOO_MANY_ROWS
  rows += 1;
#elif BEHAVIOUR == NEGATIVE_LENGTH
  rows = -5;
#endif
  size_t room = rows > 0 ? (size_t)rows : 1;
  float *scores = malloc(room * sizeof *scores);
  for (size_t i = 0; i < room; i++) scores[i] = answer;
  answer_scores(predictions, scores, rows);
#if BEHAVIOUR == ANSWERS_SHORT_CHILD
  predictions->children[0]->length = rows - 1;
#elif BEHAVIOUR == ANSWERS_NULL_BUFFER
  free(scores);
  predictions->children[0]->buffers[1] = NULL;
#elif BEHAVIOUR == ANSWERS_OTHER_SCHEMA
  struct ArrowArray *child = predictions->children[0];
  child->n_buffers = 3;
  child->buffers = realloc(child->buffers, 3 * sizeof *child->buffers);
  child->buffers[2] = scores;
#endif
  return FORETELL_STATUS_OK;
#endif
}

static void hostile_close(ForetellInstance *instance) { (void)instance; }

#if BEHAVIOUR == NO_ENTRY
const ForetellPlugin *another_symbol(void);
const ForetellPlugin *another_symbol(void) {
#else
const ForetellPlugin *foretell_plugin(void);
const ForetellPlugin *foretell_plugin(void) {
#endif
  static ForetellPlugin table;
  table.size = BEHAVIOUR == SMALL_TABLE ? 16 : sizeof table;
  table.abi_major = BEHAVIOUR == OTHER_MAJOR ? FORETELL_ABI_MAJOR + 1 : FORETELL_ABI_MAJOR;
  table.abi_minor = BEHAVIOUR == NEWER_MINOR ? FORETELL_ABI_MINOR + 1 : FORETELL_ABI_MINOR;
  table.name.data = (const uint8_t *)(BEHAVIOUR == OTHER_NAME ? "stranger" : "hostile");
  table.name.length = BEHAVIOUR == OTHER_NAME ? 8 : 7;
  table.version.data = (const uint8_t *)"1.0.0";
  table.version.length = 5;
  table.open = hostile_open;
  table.predict = BEHAVIOUR == NO_PREDICT ? NULL : hostile_predict;
  table.close = hostile_close;
  table.capability = BEHAVIOUR == NO_CAPABILITY ? NULL : fit_capability;
  return BEHAVIOUR == NULL_TABLE ? NULL : &table;
}
