// The C interface between foretell and its plugins. Generated from core/abi/src/lib.rs by `cargo xtask header`.

#ifndef FORETELL_H
#define FORETELL_H

#include <stddef.h>
#include <stdint.h>
#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE
#define ARROW_FLAG_DICTIONARY_ORDERED 1
#define ARROW_FLAG_NULLABLE 2
#define ARROW_FLAG_MAP_KEYS_SORTED 4
struct ArrowSchema {
  const char *format;
  const char *name;
  const char *metadata;
  int64_t flags;
  int64_t n_children;
  struct ArrowSchema **children;
  struct ArrowSchema *dictionary;
  void (*release)(struct ArrowSchema *);
  void *private_data;
};
struct ArrowArray {
  int64_t length;
  int64_t null_count;
  int64_t offset;
  int64_t n_buffers;
  int64_t n_children;
  const void **buffers;
  struct ArrowArray **children;
  struct ArrowArray *dictionary;
  void (*release)(struct ArrowArray *);
  void *private_data;
};
#endif

#ifndef DLPACK_DLPACK_H_
#define DLPACK_DLPACK_H_
typedef struct { int32_t device_type; int32_t device_id; } DLDevice;
typedef struct { uint8_t code; uint8_t bits; uint16_t lanes; } DLDataType;
typedef struct {
  void *data;
  DLDevice device;
  int32_t ndim;
  DLDataType dtype;
  int64_t *shape;
  int64_t *strides;
  uint64_t byte_offset;
} DLTensor;
#endif

// Arrow's and DLPack's own structs, by the names that are used below.
typedef struct ArrowSchema ForetellArrowSchema;
typedef struct ArrowArray ForetellArrowArray;
typedef DLTensor ForetellDLTensor;

// Ids of capabilities, which cbindgen can't read from the source.
#define FORETELL_DATA_CAPABILITY "foretell.data/1"
#define FORETELL_FIT_CAPABILITY "foretell.fit/1"
#define FORETELL_ATTENTION_CAPABILITY "foretell.attention/1"


// Major number of the interface. A host and a plugin work together only when it is equal.
#define FORETELL_ABI_MAJOR 1

// Minor number of the interface. It grows when fields are appended; a host serves plugins of its own or a lower minor.
#define FORETELL_ABI_MINOR 0

// Bytes of an error message that fit into an `ForetellError`.
#define FORETELL_ERROR_BYTES_MAX 1024

// The host's side of a `ForetellFitOutput`; the plugin only hands it back.
typedef struct ForetellFitOutputContext ForetellFitOutputContext;

// What has been learned so far, the plugin's own; the host only hands it back.
typedef struct ForetellFitting ForetellFitting;

// The host's side of an instance; the plugin only hands it back.
typedef struct ForetellHostContext ForetellHostContext;

// The plugin's own state; the host only hands it back.
typedef struct ForetellInstance ForetellInstance;

// A network that the host opened; the plugin only hands it back.
typedef struct ForetellModel ForetellModel;

// What a call returns: zero, or why it failed, with the words in an `ForetellError`.
typedef int32_t ForetellStatus;

// Severity of a message given to `ForetellHost.log`.
typedef int32_t ForetellLogLevel;

// Bytes that somebody else owns. UTF-8 where a text is meant; not terminated by zero.
typedef struct ForetellBytes {
  // First byte; may be null when `length` is zero.
  const uint8_t *data;
  // Number of bytes.
  size_t length;
} ForetellBytes;

// Why a call failed. The caller provides it; the called side fills it, so that nobody has to free it.
typedef struct ForetellError {
  // Size of this struct in bytes.
  size_t size;
  // Number of bytes of `message` that count.
  size_t length;
  // UTF-8, lower case, no full stop: what was expected, what was found, what to do. Cut at a character boundary.
  uint8_t message[FORETELL_ERROR_BYTES_MAX];
} ForetellError;

// What the host offers. Valid until `close` returns; every function may be called from any thread.
typedef struct ForetellHost {
  // Size of this struct in bytes.
  size_t size;
  // The host's `FORETELL_ABI_MAJOR`.
  uint32_t abi_major;
  // The host's `FORETELL_ABI_MINOR`.
  uint32_t abi_minor;
  // First argument of every function below.
  const struct ForetellHostContext *context;
  // Finds the network that the manifest lists as `[[model]]` under `name`. It is in memory once, whoever asks.
  ForetellStatus (*model_open)(const struct ForetellHostContext *context,
                               struct ForetellBytes name,
                               const struct ForetellModel **model,
                               struct ForetellError *error);
  // Runs a network. Inputs and outputs stand in the order of the network's own; the caller allocates the outputs, with
  // the exact shapes that the network gives.
  // Of the outputs the first `outputs_count` are computed, at least one.
  ForetellStatus (*model_run)(const struct ForetellHostContext *context,
                              const struct ForetellModel *model,
                              const ForetellDLTensor *inputs,
                              size_t inputs_count,
                              ForetellDLTensor *outputs,
                              size_t outputs_count,
                              struct ForetellError *error);
  // Hands a message to the host's log. Never give it what a record holds.
  void (*log)(const struct ForetellHostContext *context,
              ForetellLogLevel level,
              struct ForetellBytes message);
  // Not zero when the work is no longer wanted: return `FORETELL_STATUS_CANCELLED` soon.
  int32_t (*is_cancelled)(const struct ForetellHostContext *context);
  // An optional power of the host by its id, such as `FORETELL_DATA_CAPABILITY`; null when the host does not have it.
  const void *(*capability)(const struct ForetellHostContext *context,
                            struct ForetellBytes id);
} ForetellHost;

// What an instance is opened with. Lent for the call.
typedef struct ForetellOpenRequest {
  // Size of this struct in bytes.
  size_t size;
  // Type of the records: a struct of the manifest's inputs, in its order, then its history columns.
  const ForetellArrowSchema *records;
  // The manifest's `[config]` with the user's changes, as a JSON object.
  struct ForetellBytes config;
  // Filled by the plugin: type of its predictions, which must be what its task fixes.
  ForetellArrowSchema *predictions;
} ForetellOpenRequest;

// What a plugin is: the table that `ENTRY_SYMBOL` returns. It lives as long as the process.
typedef struct ForetellPlugin {
  // Size of this struct in bytes.
  size_t size;
  // The `FORETELL_ABI_MAJOR` that the plugin was built against. Read before anything below.
  uint32_t abi_major;
  // The `FORETELL_ABI_MINOR` that the plugin was built against.
  uint32_t abi_minor;
  // Name, equal to the manifest's.
  struct ForetellBytes name;
  // Version, equal to the manifest's.
  struct ForetellBytes version;
  // Makes an instance.
  ForetellStatus (*open)(const struct ForetellHost *host,
                         const struct ForetellOpenRequest *request,
                         struct ForetellInstance **instance,
                         struct ForetellError *error);
  // Predicts: one row of `predictions` for each row of `records`, in the same order. On failure `predictions` stays
  // untouched.
  ForetellStatus (*predict)(struct ForetellInstance *instance,
                            const ForetellArrowArray *records,
                            ForetellArrowArray *predictions,
                            struct ForetellError *error);
  // Ends an instance.
  void (*close)(struct ForetellInstance *instance);
  // An optional power of the plugin by its id, such as `FORETELL_FIT_CAPABILITY`; null when the plugin does not have it.
  const void *(*capability)(struct ForetellBytes id);
} ForetellPlugin;

// Type of the exported symbol.
typedef const struct ForetellPlugin *(*ForetellEntry)(void);

// What the host offers under `FORETELL_DATA_CAPABILITY`. It lives as long as the process.
typedef struct ForetellHostData {
  // Size of this struct in bytes.
  size_t size;
  // Lends the content of the file that the manifest lists under `name`, as the host verified it. `context` is the one of
  // the `ForetellHost`. The bytes stay where they are until `close` or, while learning, until `end` returns.
  ForetellStatus (*read)(const struct ForetellHostContext *context,
                         struct ForetellBytes name,
                         struct ForetellBytes *data,
                         struct ForetellError *error);
} ForetellHostData;

// What learning begins with. Lent for the call.
typedef struct ForetellFitRequest {
  // Size of this struct in bytes.
  size_t size;
  // Type of the records: a struct of the manifest's inputs, in its order, then its history columns.
  const ForetellArrowSchema *records;
  // The manifest's `[config]` with the user's changes, as a JSON object.
  struct ForetellBytes config;
  // Where everything random begins: the same seed, records and settings give the same files.
  uint64_t seed;
  // Not zero when learning goes on from the files that `FORETELL_DATA_CAPABILITY` lends; zero when it begins anew.
  int32_t update;
} ForetellFitRequest;

// Where the plugin writes what it learned. Lent for the call.
typedef struct ForetellFitOutput {
  // Size of this struct in bytes.
  size_t size;
  // First argument of the function below.
  const struct ForetellFitOutputContext *context;
  // Writes to one of the models that the manifest's `[fit]` lists. Repeated writes append; one without bytes counts, and
  // leaves an empty file.
  ForetellStatus (*write)(const struct ForetellFitOutputContext *context,
                          struct ForetellBytes model,
                          struct ForetellBytes bytes,
                          struct ForetellError *error);
} ForetellFitOutput;

// What a plugin offers under `FORETELL_FIT_CAPABILITY`. It lives as long as the process.
//
// The host calls `begin`, `learn` for batch after batch, `finish`, and in any case `end`, one call at a time, though not
// always from the same thread. Records come once each, in the order of their times and then of their ids, with their past.
// After a call that failed, nothing but `end` follows.
typedef struct ForetellFit {
  // Size of this struct in bytes.
  size_t size;
  // Begins. The host's table is valid until `end` returns.
  ForetellStatus (*begin)(const struct ForetellHost *host,
                          const struct ForetellFitRequest *request,
                          struct ForetellFitting **fitting,
                          struct ForetellError *error);
  // Learns from a batch. Returns `FORETELL_STATUS_CANCELLED` soon when the host asks for it.
  ForetellStatus (*learn)(struct ForetellFitting *fitting,
                          const ForetellArrowArray *records,
                          struct ForetellError *error);
  // Ends the learning: writes each of the models that the manifest's `[fit]` lists.
  ForetellStatus (*finish)(struct ForetellFitting *fitting,
                           const struct ForetellFitOutput *output,
                           struct ForetellError *error);
  // Frees what `begin` made.
  void (*end)(struct ForetellFitting *fitting);
} ForetellFit;

// What a plugin offers under `FORETELL_ATTENTION_CAPABILITY`. It lives as long as the process.
typedef struct ForetellAttention {
  // Size of this struct in bytes.
  size_t size;
  // Says for each record where in its image the prediction comes from. `instance` and `records` are those of `predict`, and
  // it may be called from several threads as `predict` may.
  //
  // `maps` becomes a struct array with a row for each record and the columns `height` and `width` (int32), and `values`
  // (list of float32): maps of `height` rows by `width`, one after the other, which cover the whole image. A binary
  // classification has one map, of its positive class; a multiclass classification one for each label, in their order.
  // A place with a larger value speaks more for the class.
  ForetellStatus (*attend)(struct ForetellInstance *instance,
                           const ForetellArrowArray *records,
                           ForetellArrowArray *maps,
                           struct ForetellError *error);
} ForetellAttention;

// The call did what it says.
#define FORETELL_STATUS_OK 0

// The arguments can't be served: a column is missing, a value makes no sense, a setting is unknown.
#define FORETELL_STATUS_INVALID 1

// A network could not be opened or run.
#define FORETELL_STATUS_MODEL 2

// The host asked for the work to stop, and it stopped.
#define FORETELL_STATUS_CANCELLED 3

// The plugin panicked. The instance may be used again.
#define FORETELL_STATUS_PANIC 4

// Anything else.
#define FORETELL_STATUS_FAILED 5

// Something is wrong, and a result is missing because of it.
#define FORETELL_LOG_ERROR 1

// Something looks wrong, and the work goes on.
#define FORETELL_LOG_WARN 2

// What an operator likes to know.
#define FORETELL_LOG_INFO 3

// What the plugin's author likes to know.
#define FORETELL_LOG_DEBUG 4

#endif  /* FORETELL_H */
