package io.kvasir.engine;

/// Natural logarithms of probabilities at one position, by the model's scores before penalties,
/// temperature and constraints.
///
/// @param logProbability of the token that stands there
/// @param ids the likeliest tokens, best first; the token itself need not be among them
/// @param logProbabilities theirs
@SuppressWarnings("ArrayRecordComponent") // made for one reader, who does not share it
public record TokenScores(float logProbability, int[] ids, float[] logProbabilities) {}
