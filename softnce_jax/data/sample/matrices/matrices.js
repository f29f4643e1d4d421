// task: determinant_by_elimination
function determinant(matrix) {
  const rows = matrix.map((row) => [...row]);
  let det = 1;
  for (let i = 0; i < rows.length; i++) {
    const pivot = rows.findIndex((row, r) => r >= i && row[i] !== 0);
    if (pivot < 0) return 0;
    if (pivot !== i) {
      [rows[i], rows[pivot]] = [rows[pivot], rows[i]];
      det = -det;
    }
    det *= rows[i][i];
    for (let r = i + 1; r < rows.length; r++) {
      const factor = rows[r][i] / rows[i][i];
      rows[r] = rows[r].map((value, c) => value - factor * rows[i][c]);
    }
  }
  return det;
}

// task: determinant_by_cofactors
function cofactorDeterminant(m) {
  if (m.length === 1) return m[0][0];
  const [head, ...tail] = m;
  return head.reduce((sum, entry, skip) => {
    const minor = tail.map((line) => line.filter((_, column) => column !== skip));
    const sign = skip % 2 === 0 ? 1 : -1;
    return sum + sign * entry * cofactorDeterminant(minor);
  }, 0);
}

// task: matrix_spiral_order
function spiralOrder(grid) {
  const seen = grid.map((line) => line.map(() => false));
  const directions = [[0, 1], [1, 0], [0, -1], [-1, 0]];
  const order = [];
  let [y, x, facing] = [0, 0, 0];
  const total = grid.flat().length;
  while (order.length < total) {
    order.push(grid[y][x]);
    seen[y][x] = true;
    const [dy, dx] = directions[facing];
    if (seen[y + dy]?.[x + dx] !== false) facing = (facing + 1) % 4;
    y += directions[facing][0];
    x += directions[facing][1];
  }
  return order;
}

// task: matrix_power
function matrixPower(matrix, exponent) {
  const multiply = (a, b) => a.map((row) => b[0].map((_, j) => row.reduce((acc, v, k) => acc + v * b[k][j], 0)));
  let result = matrix.map((row, i) => row.map((_, j) => Number(i === j)));
  let square = matrix;
  for (let bits = exponent; bits > 0; bits = Math.floor(bits / 2)) {
    if (bits % 2 === 1) result = multiply(result, square);
    square = multiply(square, square);
  }
  return result;
}

// task: game_of_life_step
function nextGeneration(board) {
  const steps = [-1, 0, 1];
  const offsets = steps.flatMap((dy) => steps.map((dx) => [dy, dx])).filter(([dy, dx]) => dy || dx);
  return board.map((cells, y) =>
    cells.map((alive, x) => {
      const neighbors = offsets.filter(([dy, dx]) => board[y + dy]?.[x + dx]).length;
      return neighbors === 3 || (alive && neighbors === 2);
    })
  );
}

// task: linear_system_solve
function solveLinearSystem(a, b) {
  const n = b.length;
  const augmented = a.map((coefficients, i) => coefficients.concat(b[i]));
  for (let k = 0; k < n; k++) {
    let largest = k;
    for (let i = k + 1; i < n; i++) {
      if (Math.abs(augmented[i][k]) > Math.abs(augmented[largest][k])) largest = i;
    }
    augmented.splice(k, 0, ...augmented.splice(largest, 1));
    if (Math.abs(augmented[k][k]) < Number.EPSILON) throw new Error('Singular system');
    for (let i = k + 1; i < n; i++) {
      const scale = augmented[i][k] / augmented[k][k];
      for (let j = k; j <= n; j++) augmented[i][j] -= scale * augmented[k][j];
    }
  }
  const unknowns = new Array(n).fill(0);
  for (let k = n - 1; k >= 0; k--) {
    const known = unknowns.reduce((sum, x, j) => sum + x * augmented[k][j], 0);
    unknowns[k] = (augmented[k][n] - known) / augmented[k][k];
  }
  return unknowns;
}
// end
