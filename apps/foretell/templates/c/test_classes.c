// Tries the plugin without foretell: a host that knows one network, which is the formula of model/MODEL_CARD.md, and a few records.
#include "foretell.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROWS 3
#define WIDTH 3

const ForetellPlugin *foretell_plugin(void);

static int failures = 0;

#define CHECK(holds) \
  do { \
    if (!(holds)) { \
      fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #holds); \
      failures++; \
    } \
  } while (0)

// --- The host.

static void formula(double temperature, double humidity, float *answer) {
  double powers[WIDTH] = {exp(0.1 * temperature - 0.04 * humidity), 1.0, exp(0.06 * humidity - 4.5)};
  for (int place = 0; place < WIDTH; place++)
    answer[place] = (float)(powers[place] / (powers[0] + powers[1] + powers[2]));
}

static ForetellStatus model_open(const ForetellHostContext *context, ForetellBytes name, const ForetellModel **model,
                                 ForetellError *error) {
  (void)context;
  (void)error;
  CHECK(name.length == 7 && memcmp(name.data, "network", 7) == 0);
  *model = (const ForetellModel *)&failures;
  return FORETELL_STATUS_OK;
}

static ForetellStatus model_run(const ForetellHostContext *context, const ForetellModel *model, const DLTensor *inputs,
                                size_t inputs_count, DLTensor *outputs, size_t outputs_count, ForetellError *error) {
  (void)context;
  (void)error;
  CHECK(model == (const ForetellModel *)&failures);
  CHECK(inputs_count == 1 && inputs[0].ndim == 2 && inputs[0].shape[1] == 2);
  CHECK(outputs_count == 1 && outputs[0].ndim == 2 && outputs[0].shape[0] == inputs[0].shape[0]);
  const float *numbers = inputs[0].data;
  float *answers = outputs[0].data;
  for (int64_t row = 0; row < inputs[0].shape[0]; row++)
    formula(numbers[2 * row], numbers[2 * row + 1], answers + WIDTH * row);
  return FORETELL_STATUS_OK;
}

static const ForetellHost HOST = {
    .size = sizeof HOST,
    .abi_major = FORETELL_ABI_MAJOR,
    .abi_minor = FORETELL_ABI_MINOR,
    .model_open = model_open,
    .model_run = model_run,
};

// --- Records, lent to the plugin: nothing of them is released.

static struct ArrowSchema column_types[] = {{.format = "g", .name = "temperature"}, {.format = "g", .name = "humidity"}};
static struct ArrowSchema *type_children[] = {&column_types[0], &column_types[1]};

static ForetellInstance *open_plugin(int64_t columns, struct ArrowSchema *predictions, ForetellError *error) {
  struct ArrowSchema records = {.format = "+s", .name = "", .n_children = columns, .children = type_children};
  ForetellOpenRequest request = {.size = sizeof request, .records = &records, .predictions = predictions};
  ForetellInstance *instance = NULL;
  ForetellStatus status = foretell_plugin()->open(&HOST, &request, &instance, error);
  CHECK((status == FORETELL_STATUS_OK) == (instance != NULL));
  return instance;
}

// Predicts `rows` records from row `start` on.
static ForetellStatus predict(ForetellInstance *instance, const double *temperatures, const double *humidities,
                              const uint8_t *present, int64_t start, int64_t rows, struct ArrowArray *predictions,
                              ForetellError *error) {
  const void *first[] = {NULL, temperatures}, *second[] = {present, humidities};
  struct ArrowArray columns[] = {{.length = start + rows, .n_buffers = 2, .buffers = first},
                                 {.length = start + rows, .n_buffers = 2, .buffers = second}};
  struct ArrowArray *children[] = {&columns[0], &columns[1]};
  const void *none[] = {NULL};
  struct ArrowArray records = {
      .length = rows, .offset = start, .n_buffers = 1, .buffers = none, .n_children = 2, .children = children};
  return foretell_plugin()->predict(instance, &records, predictions, error);
}

static int says(const ForetellError *error, const char *words) {
  return error->length == strlen(words) && memcmp(error->message, words, error->length) == 0;
}

int main(void) {
  const double temperatures[ROWS] = {20.0, 10.0, -5.0}, humidities[ROWS] = {65.0, 100.0, 30.0};
  ForetellError error = {.size = sizeof error};
  struct ArrowSchema type;

  // A record type without the second column is refused by its name.
  CHECK(open_plugin(1, &type, &error) == NULL);
  CHECK(says(&error, "expected a column `humidity` of type float64"));

  ForetellInstance *instance = open_plugin(2, &type, &error);
  if (!instance) return EXIT_FAILURE;
  CHECK(type.n_children == 1 && strcmp(type.children[0]->name, "scores") == 0);
  type.release(&type);

  // Any stretch of the records gets the answers of its own numbers.
  for (int64_t start = 0; start <= ROWS; start++) {
    struct ArrowArray predictions;
    ForetellStatus status =
        predict(instance, temperatures, humidities, NULL, start, ROWS - start, &predictions, &error);
    CHECK(status == FORETELL_STATUS_OK && predictions.length == ROWS - start);
    if (status != FORETELL_STATUS_OK) return EXIT_FAILURE;
    const float *numbers = predictions.children[0]->children[0]->buffers[1];
    for (int64_t row = 0; row < ROWS - start; row++) {
      float expected[WIDTH];
      formula(temperatures[start + row], humidities[start + row], expected);
      CHECK(memcmp(numbers + WIDTH * row, expected, sizeof expected) == 0);
    }
    predictions.release(&predictions);
    CHECK(predictions.release == NULL);
  }

  // What is missing or infinite is named, and nothing is answered.
  const uint8_t present[] = {5};
  const double infinite[ROWS] = {65.0, INFINITY, 30.0};
  for (int round = 0; round < 2; round++) {
    struct ArrowArray predictions = {.length = -1};
    const double *bad = round == 0 ? humidities : infinite;
    ForetellStatus status =
        predict(instance, temperatures, bad, round == 0 ? present : NULL, 0, ROWS, &predictions, &error);
    CHECK(status == FORETELL_STATUS_INVALID && predictions.length == -1);
    CHECK(says(&error, "column `humidity` has no finite number in row 1"));
  }

  foretell_plugin()->close(instance);
  if (failures == 0) puts("all checks hold");
  return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
