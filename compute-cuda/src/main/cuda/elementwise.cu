// The small operations on rows of activations, one pass each: bytes moved are those of their
// operands. Elementwise kernels run over a grid-stride loop, normalization takes a block per group.
#include "activation.cuh"
#include "common.cuh"
#include "weights.cuh"

#define GRID_STRIDE(i, n)                                                              \
  for (long long i = blockIdx.x * (long long)blockDim.x + threadIdx.x; i < (n);        \
       i += (long long)gridDim.x * blockDim.x)

// out[r] = table[ids[r]], or out[r] += that.
KERNEL kv_embed(int type, const uint8_t* table, long long rowBytes, const int* ids, int rows,
                int columns, float* out, int outColumns, int adds) {
  GRID_STRIDE(i, (long long)rows * columns) {
    int r = (int)(i / columns);
    int c = (int)(i % columns);
    float x = weight_element(type, table + ids[r] * rowBytes, c);
    float* at = out + (long long)r * outColumns + c;
    *at = adds ? *at + x : x;
  }
}

KERNEL kv_scale(float* x, long long n, float factor) {
  GRID_STRIDE(i, n) x[i] *= factor;
}

KERNEL kv_scale_rows(float* x, long long n, int columns, const float* factors) {
  GRID_STRIDE(i, n) x[i] *= factors[i / columns];
}

KERNEL kv_clamp(float* x, long long n, float limit) {
  GRID_STRIDE(i, n) x[i] = x[i] > limit ? limit : x[i] < -limit ? -limit : x[i];
}

KERNEL kv_add(float* x, const float* delta, long long n, float factor) {
  GRID_STRIDE(i, n) x[i] += factor * delta[i];
}

KERNEL kv_softcap(float* x, long long n, float cap) {
  GRID_STRIDE(i, n) x[i] = cap * tanhf(x[i] / cap);
}

// One block per group of `width` elements. Where there is a delta, in += factor * delta first.
KERNEL kv_normalize(float* in, float* out, const float* delta, float deltaFactor, const float* weight, int weights,
                    const float* bias, int biases, int columns, int width, float epsilon,
                    int centred) {
  __shared__ float scratch[32];
  long long at = (long long)blockIdx.x * width;
  int column = (int)(at % columns);
  float mean = 0;
  if (delta) {
    // Each thread reads back only what it wrote.
    for (int i = threadIdx.x; i < width; i += blockDim.x) {
      in[at + i] += deltaFactor * delta[at + i];
    }
  }
  if (centred) {
    float sum = 0;
    for (int i = threadIdx.x; i < width; i += blockDim.x) {
      sum += in[at + i];
    }
    mean = block_sum(sum, scratch) / width;
  }
  float square = 0;
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    float d = in[at + i] - mean;
    square += d * d;
  }
  float factor = 1 / sqrtf(block_sum(square, scratch) / width + epsilon);
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    float y = (in[at + i] - mean) * factor;
    if (weight) {
      y *= weight[(column + i) % weights];
    }
    if (bias) {
      y += bias[(column + i) % biases];
    }
    out[at + i] = y;
  }
}

// Block x: row; block y: head; thread: pair. Angles are f32 products, their cosine and sine are taken
// in f64, as the host does. A block for several heads spares sines but took longer: heads came after
// each other.
KERNEL kv_rope(float* x, int columns, const int* positions, const float* frequencies, int pairs,
               float magnitude, int interleaved, int heads, int headDim, int offset) {
  int r = blockIdx.x;
  for (int i = threadIdx.x; i < pairs; i += blockDim.x) {
    float angle = (float)positions[r] * frequencies[i];
    float c = (float)cos((double)angle) * magnitude;
    float s = (float)sin((double)angle) * magnitude;
    float* head = x + (long long)r * columns + (int)blockIdx.y * headDim + offset;
    float* first = head + (interleaved ? 2 * i : i);
    float* second = first + (interleaved ? 1 : pairs);
    float a = *first;
    float b = *second;
    *first = a * c - b * s;
    *second = b * c + a * s;
  }
}

KERNEL kv_activate(int activation, const float* gate, const float* up, float* out, long long n) {
  GRID_STRIDE(i, n) {
    out[i] = up ? gated(activation, gate[i], up[i]) : activated(activation, gate[i]);
  }
}

KERNEL kv_xielu(float* x, long long n, float positive, float negative, float beta, float epsilon) {
  GRID_STRIDE(i, n) {
    float v = x[i];
    x[i] = v > 0 ? positive * v * v + beta * v
                 : negative * (expm1f(fminf(v, epsilon)) - v) + beta * v;
  }
}

KERNEL kv_gather_rows(const float* in, int columns, const int* selected, int count, float* out,
                      int outColumns) {
  GRID_STRIDE(i, (long long)count * columns) {
    int r = (int)(i / columns);
    int c = (int)(i % columns);
    out[(long long)r * outColumns + c] = in[(long long)selected[r] * columns + c];
  }
}

KERNEL kv_copy_columns(const float* in, int inColumns, float* out, int outColumns, int rows,
                       int fromColumn, int fromStride, int toColumn, int toStride, int count,
                       int heads) {
  GRID_STRIDE(i, (long long)rows * heads * count) {
    int c = (int)(i % count);
    int h = (int)(i / count % heads);
    long long r = i / count / heads;
    out[r * outColumns + toColumn + h * toStride + c] =
        in[r * inColumns + fromColumn + h * fromStride + c];
  }
}

// Rows of experts: out[slot] = factor[slot] * in[row[slot]].
KERNEL kv_expert_rows(const float* in, int columns, const int* rows, const float* factors,
                      int slots, float* out) {
  GRID_STRIDE(i, (long long)slots * columns) {
    int slot = (int)(i / columns);
    int c = (int)(i % columns);
    out[i] = factors[slot] * in[(long long)rows[slot] * columns + c];
  }
}

// out[r] = the sum over the row's experts, in the order of their rank, of weight * part (1 without
// weights), plus the
// shared network's row times the sigmoid of its gate. slots[r, rank] tells where a part lies.
KERNEL kv_expert_sum(const float* parts, int columns, const int* slots, const float* weights,
                     int perRow, const float* shared, const float* sharedGate, int rows,
                     float* out) {
  GRID_STRIDE(i, (long long)rows * columns) {
    int r = (int)(i / columns);
    int c = (int)(i % columns);
    float sum = 0;
    for (int e = 0; e < perRow; e++) {
      sum += (weights ? weights[r * perRow + e] : 1) * parts[(long long)slots[r * perRow + e] * columns + c];
    }
    if (shared) {
      sum += (sharedGate ? sigmoid(sharedGate[r]) : 1) * shared[i];
    }
    out[i] = sum;
  }
}

// out[r] = the column of the largest of the first `columns` elements of a row, the first of equal
// ones. Grid: rows; 1024 threads.
KERNEL kv_argmax(const float* x, int stride, int columns, int* out) {
  __shared__ float values[1024];
  __shared__ int places[1024];
  const float* row = x + (long long)blockIdx.x * stride;
  float best = -INFINITY;
  int place = 0;
  for (int i = threadIdx.x; i < columns; i += blockDim.x) {
    if (row[i] > best) {
      best = row[i];
      place = i;
    }
  }
  values[threadIdx.x] = best;
  places[threadIdx.x] = place;
  for (int half = blockDim.x / 2; half > 0; half /= 2) {
    __syncthreads();
    if ((int)threadIdx.x < half) {
      float other = values[threadIdx.x + half];
      int at = places[threadIdx.x + half];
      if (other > values[threadIdx.x] || (other == values[threadIdx.x] && at < places[threadIdx.x])) {
        values[threadIdx.x] = other;
        places[threadIdx.x] = at;
      }
    }
  }
  if (threadIdx.x == 0) {
    out[blockIdx.x] = places[0];
  }
}
