package com.amazonaws.services.lambda.crac;

/** Resources have failed after a restore; how, is among what is suppressed. */
public class RestoreException extends Exception {
    private static final long serialVersionUID = 1L;

    public RestoreException() {}

    public RestoreException(String message) {
        super(message);
    }
}
