// Filling a polygon on a small grid, pixel for pixel as the COCO masks do it (reference/operators.md 8.2).
//
// Vertices are rounded to a grid five times as fine, and every edge is a chain of fine points, one a step along its
// longer axis. Where a chain steps across the middle of a pixel row it toggles that row from one column on; a pixel
// is inside if its row was toggled an odd number of times up to it. COCO's code walks the chains; here the one step
// across a given row is computed, so the work of an edge is bounded by the rows of the grid, however long it is.
#ifndef SNIPER_POLYGONS_H_
#define SNIPER_POLYGONS_H_

#include "sniper/common.h"

namespace sniper {

// Fine points a pixel, in each axis. Pixel row r is crossed by a step between the fine rows 5r + 2 and 5r + 3.
enum { kFineSteps = 5 };

struct FinePoint {
  int row, column;
};

// Halves go up, as far as truncation toward zero does so. Far points are brought to where integers hold them;
// `value` must not be NaN.
SNIPER_HD int fine_coordinate(double value) {
  const double limit = 1e8;
  const double fine = kFineSteps * value + 0.5;
  return static_cast<int>(fine < -limit ? -limit : fine > limit ? limit : fine);
}

// The pixel column from which a crossing at fine column `fine` counts, within 0..size.
SNIPER_HD int pixel_column(int fine, int size) {
  const int half = kFineSteps / 2;
  if (fine <= half) return 0;
  const int column = (fine - half + kFineSteps - 1) / kFineSteps;
  return column < size ? column : size;
}

// Where the edge from `a` to `b` crosses pixel row `row` of a grid of `size` columns: the first column toggled, with
// `size` for none, or -1 if it does not cross the row. The same for the edge from `b` to `a`.
SNIPER_HD int crossing_column(const FinePoint& a, const FinePoint& b, int row, int size) {
  const int above = kFineSteps * row + kFineSteps / 2, below = above + 1;
  if (!((a.row <= above && b.row >= below) || (b.row <= above && a.row >= below))) return -1;
  const int rows = a.row < b.row ? b.row - a.row : a.row - b.row;
  const int columns = a.column < b.column ? b.column - a.column : a.column - b.column;
  if (rows >= columns) {  // one step a fine row: the columns before and after the step across
    const FinePoint& start = a.row < b.row ? a : b;
    const FinePoint& end = a.row < b.row ? b : a;
    const double slope = static_cast<double>(end.column - start.column) / rows;
    const int before = static_cast<int>(start.column + slope * (above - start.row) + 0.5);
    const int after = static_cast<int>(start.column + slope * (below - start.row) + 0.5);
    return pixel_column(before < after ? before : after, size);
  }
  // One step a fine column: the first step whose row lies beyond, by division and then by the chain's own rounding.
  const FinePoint& start = a.column < b.column ? a : b;
  const FinePoint& end = a.column < b.column ? b : a;
  const double slope = static_cast<double>(end.row - start.row) / columns;
  const bool down = end.row > start.row;
  int step = static_cast<int>((below - 0.5 - start.row) / slope);
  step = step < 1 ? 1 : step > columns ? columns : step;
  while (step > 1 && (static_cast<int>(start.row + slope * (step - 1) + 0.5) >= below) == down) --step;
  while (step < columns && (static_cast<int>(start.row + slope * step + 0.5) >= below) != down) ++step;
  return pixel_column(start.column + step - 1, size);
}

}  // namespace sniper

#endif  // SNIPER_POLYGONS_H_
