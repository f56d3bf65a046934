package com.amazonaws.services.lambda.runtime.logging;

/** In order: what is below the level of the function's configuration is not written. */
public enum LogLevel {
    /** Always written. */
    UNDEFINED,
    TRACE,
    DEBUG,
    INFO,
    WARN,
    ERROR,
    FATAL;

    /** UNDEFINED for a name that is none. */
    public static LogLevel fromString(String name) {
        for (LogLevel level : values()) {
            if (level.name().equalsIgnoreCase(name)) {
                return level;
            }
        }
        return UNDEFINED;
    }
}
