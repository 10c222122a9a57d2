"""Where OpenCV shows directions through lenses: the table `GOLDEN` of ../../src/lens.rs.

    pip install -r requirements.txt && python lens.py
"""
import cv2
import numpy as np

LENSES = [
    [0, 0, 0, 0, 0],
    [-0.24, 0, 0, 0, 0],
    [-0.24, 0.07, 0.001, -0.0005, -0.01],
    [0.1, -0.2, -0.003, 0.002, 0.05],
    [-0.3, 0.1, 0.0, 0.01, 0],
    [0, 0, 0.02, -0.01, 0.1],
]

random = np.random.default_rng(7)
for lens in LENSES:
    x, y = np.round(random.uniform(-0.5, 0.5, 2), 3).tolist()
    nothing = np.zeros(3)
    seen, _ = cv2.projectPoints(np.array([[x, y, 1.0]]), nothing, nothing, np.eye(3), np.array(lens, float))
    print(f"([{x}, {y}], {[float(number) for number in lens]}, {seen.ravel().tolist()}),")
