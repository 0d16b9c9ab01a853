/*
 * Randomness by counting: a draw is a function of the run's seed, of what it is
 * for and of its number, so order and threads cannot change it and nothing has
 * to be stored to go on.
 */
#ifndef TRAIN_RANDOM_H
#define TRAIN_RANDOM_H

#include <stddef.h>
#include <stdint.h>

enum random_use { RANDOM_WEIGHTS = 1, RANDOM_ORDER = 2, RANDOM_ADAPTER = 3 };

uint64_t random_bits(uint64_t seed, enum random_use use, uint64_t of, uint64_t number);
/* n draws of a normal distribution around 0, the sequence `of`. */
void random_normal(float *x, size_t n, uint64_t seed, enum random_use use, uint64_t of,
                   float deviation);
/* Draws from -most to most, evenly. */
void random_even(float *x, size_t n, uint64_t seed, enum random_use use, uint64_t of, float most);

#endif
