/* Graphs in protocol buffers: ONNX and TensorFlow. Private to src/model. */
#ifndef MODEL_ONNX_H
#define MODEL_ONNX_H

#include "model/content.h"
#include "model/protobuf.h"

bool onnx_sniff(struct span head, uint64_t size);
bool onnx_examine(const struct content *c);
bool savedmodel_sniff(struct span head, uint64_t size);
bool savedmodel_examine(const struct content *c);

/* onnx_tensor.c: the tensor that is message `p`, in a file of model `c->m`. False: no memory. */
bool onnx_tensor(const struct content *c, struct proto *p);

#endif
