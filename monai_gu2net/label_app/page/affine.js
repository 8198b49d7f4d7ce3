// Copyright (c) the monai_gu2net authors
// SPDX-License-Identifier: Apache-2.0
// Affines: 4 rows of 4 numbers that take pixels to millimetres. A point of an image with two axes lies at 0 of the third.

/** The point [x, y, z] to which an affine takes a point of two or three numbers. */
export function apply(affine, [x, y, z = 0]) {
  return affine.slice(0, 3).map(([a, b, c, d]) => a * x + b * y + c * z + d);
}

/** The affine that leads back. */
export function inverse(affine) {
  const [[a, b, c, p], [d, e, f, q], [g, h, i, r]] = affine;
  const det = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g);
  const turned = [
    [e * i - f * h, c * h - b * i, b * f - c * e],
    [f * g - d * i, a * i - c * g, c * d - a * f],
    [d * h - e * g, b * g - a * h, a * e - b * d],
  ].map((row) => row.map((value) => value / det));
  const rows = turned.map(([u, v, w]) => [u, v, w, -(u * p + v * q + w * r)]);
  return [...rows, [0, 0, 0, 1]];
}
