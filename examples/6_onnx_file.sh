#!/bin/sh
# A network in an ONNX file, here one with its weights in two layers: what is it, how few levels does it need, and what
# does a file without labels say? Agreement with the unquantized network is then the measure.
set -e
python - <<'PYTHON'
import numpy as np
from sklearn.neural_network import MLPClassifier
import fewlevels

training, test = fewlevels.load_dataset("digits8")
classifier = MLPClassifier((32, 16), max_iter=300, random_state=1).fit(training.x, training.y)
fewlevels.from_sklearn(classifier).to_onnx("digits.onnx")
np.save("unlabelled.npy", test.x)
PYTHON
fewlevels network digits.onnx --data digits8
fewlevels search digits.onnx --data unlabelled.npy --method kmeans,clipped --share layer --alpha 0.99 --out found
fewlevels network found/networks/1_kmeans.onnx --data digits8
