"""A Keras network of convolutions on 8 x 8 digits: levels of each column, biases on rows of the crossbars.

Needs Keras with a backend: pip install "fewlevels[networks,datasets]" keras torch
"""

import os

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras

import fewlevels

training, test = fewlevels.load_dataset("digits8")
keras.utils.set_random_seed(1)
model = keras.Sequential(
    [
        keras.layers.Input((8, 8, 1)),
        keras.layers.Conv2D(12, 3, padding="same", activation="relu"),
        keras.layers.MaxPooling2D(),
        keras.layers.Flatten(),
        keras.layers.Dense(10, activation="softmax"),
    ]
)
model.compile("adam", "sparse_categorical_crossentropy")
model.fit(training.x.reshape(-1, 8, 8, 1), training.y, epochs=12, batch_size=32, verbose=0)
model.save("digits.keras")

network = fewlevels.load_network("digits.keras")  # reads the file itself; fewlevels.from_keras(model) does it in memory
found = fewlevels.fewest_levels(
    network, training, test=test, quantizer=fewlevels.KMeans(), share="column", alpha=0.99, relative=True, q_max=16
)
print(network)
print(f"unquantized: {network.recognition(test):.2%} of {len(test)} test digits")
print(f"{found.q[0]} levels a column: {found.quantized_network().recognition(test):.2%}")
