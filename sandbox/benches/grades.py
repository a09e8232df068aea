def read_grades():
    grades = []
    while True:
        line = input("Grade (empty to stop): ")
        if line == "":
            break
        grades.append(float(line))
    return grades

def mean(values):
    total = 0
    for value in values:
        total += value
    return total / len(values)

def deviation(values):
    m = mean(values)
    squares = []
    for value in values:
        squares.append((value - m) ** 2)
    return mean(squares) ** 0.5

def histogram(values):
    counts = {}
    for value in values:
        key = int(value) // 10 * 10
        if key in counts:
            counts[key] += 1
        else:
            counts[key] = 1
    return counts

grades = read_grades()
print(f"mean {mean(grades):.2f}")
print(f"deviation {deviation(grades):.2f}")
counts = histogram(grades)
for key in sorted(counts):
    print(key, "*" * counts[key])
