"""A scikit-learn classifier on 8 x 8 digits: the fewest levels, by three methods."""

from sklearn.neural_network import MLPClassifier

import fewlevels

training, test = fewlevels.load_dataset("digits8")
classifier = MLPClassifier((40,), max_iter=300, random_state=1).fit(training.x, training.y)

network = fewlevels.from_sklearn(classifier)
compared = fewlevels.compare_methods(
    network, training, "paper,clipped,kmeans", test=test, share="layer", alpha=0.99, relative=True, q_max=16
)
print(f"unquantized: {compared.recognition[0]:.2%} of {len(test)} test digits")
for result in compared.results:
    print(f"{result.method.name}: {result.q[0]} levels a layer, {result.recognition[0]:.2%}")
