"""The ids of the project, source, document and run in every example."""

EXAMPLE_PROJECT_ID = "6f1c2f0e-58b5-4f6e-9d7f-0b8a8f3d9a11"
EXAMPLE_SOURCE_ID = "0d4b1b8e-2a52-4c8f-8f0e-6a5a3a1f7c22"
EXAMPLE_DOCUMENT_ID = "b5b7b3a2-3f3b-4a9f-8a3e-0f4b9a3c5d33"
EXAMPLE_RUN_ID = "f2a7d7c1-6c0f-4a53-9a55-2b1f0a7f4d44"
