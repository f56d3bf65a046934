package com.amazonaws.services.lambda.crac;

/** Resources have failed before a snapshot; how, is among what is suppressed. */
public class CheckpointException extends Exception {
    private static final long serialVersionUID = 1L;

    public CheckpointException() {}

    public CheckpointException(String message) {
        super(message);
    }
}
