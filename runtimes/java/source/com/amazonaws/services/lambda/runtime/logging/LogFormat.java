package com.amazonaws.services.lambda.runtime.logging;

/** How log events are written. */
public enum LogFormat {
    JSON,
    TEXT;

    /** TEXT for a name that is none. */
    public static LogFormat fromString(String name) {
        return JSON.name().equalsIgnoreCase(name) ? JSON : TEXT;
    }
}
