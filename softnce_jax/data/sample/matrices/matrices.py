from fractions import Fraction


# task: determinant_by_elimination
def determinant(matrix):
    rows = [list(map(Fraction, row)) for row in matrix]
    product = Fraction(1)
    while rows:
        pivot = next((row for row in rows if row[0] != 0), None)
        if pivot is None:
            return 0
        if rows.index(pivot) % 2:
            product = -product
        rows.remove(pivot)
        product *= pivot[0]
        rows = [
            [x - row[0] / pivot[0] * p for x, p in zip(row[1:], pivot[1:], strict=True)]
            for row in rows
        ]
    return product


# task: determinant_by_cofactors
def det(m):
    if not m:
        return 1
    total = 0
    for col, entry in enumerate(m[0]):
        minor = [line[:col] + line[col + 1 :] for line in m[1:]]
        total += (-1) ** col * entry * det(minor)
    return total


# task: matrix_spiral_order
def spiral(grid):
    remaining = [list(row) for row in grid]
    path = []
    while remaining:
        path.extend(remaining.pop(0))
        remaining = [list(column) for column in zip(*remaining, strict=True)][::-1]
    return path


# task: matrix_power
def matrix_power(base, exponent):
    def multiply(a, b):
        columns = list(zip(*b, strict=True))
        return [[sum(x * y for x, y in zip(r, c, strict=True)) for c in columns] for r in a]

    size = range(len(base))
    result = [[int(i == j) for j in size] for i in size]
    while exponent:
        if exponent & 1:
            result = multiply(result, base)
        base = multiply(base, base)
        exponent >>= 1
    return result


# task: game_of_life_step
def next_generation(grid):
    alive = {(r, c) for r, row in enumerate(grid) for c, cell in enumerate(row) if cell}

    def lives_on(r, c):
        around = {(r + dr, c + dc) for dr in (-1, 0, 1) for dc in (-1, 0, 1)}
        neighbors = len(alive & around - {(r, c)})
        return neighbors == 3 or (neighbors == 2 and (r, c) in alive)

    return [[int(lives_on(r, c)) for c in range(len(row))] for r, row in enumerate(grid)]


# task: linear_system_solve
def solve(coefficients, constants):
    n = len(constants)
    augmented = [[*line, b] for line, b in zip(coefficients, constants, strict=True)]
    for k in range(n):
        best = max(range(k, n), key=lambda i: abs(augmented[i][k]))
        if abs(augmented[best][k]) < 1e-12:
            raise ValueError("system has no unique solution")
        augmented[k], augmented[best] = augmented[best], augmented[k]
        scale = augmented[k][k]
        augmented[k] = [value / scale for value in augmented[k]]
        for i in range(n):
            if i != k:
                factor = augmented[i][k]
                for j in range(k, n + 1):
                    augmented[i][j] -= factor * augmented[k][j]
    return [line[n] for line in augmented]


# end
