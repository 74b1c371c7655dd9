"""The folder of libstriate_cuda.so, which the package striate opens."""
