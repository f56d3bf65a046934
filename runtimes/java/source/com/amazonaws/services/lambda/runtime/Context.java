package com.amazonaws.services.lambda.runtime;

/** What a handler may want to know besides its event. */
public interface Context {
    String getAwsRequestId();

    String getLogGroupName();

    String getLogStreamName();

    String getFunctionName();

    String getFunctionVersion();

    String getInvokedFunctionArn();

    CognitoIdentity getIdentity();

    ClientContext getClientContext();

    int getRemainingTimeInMillis();

    int getMemoryLimitInMB();

    LambdaLogger getLogger();

    /** Null for functions without tenant isolation. */
    default String getTenantId() {
        return null;
    }

    /** Of this invocation, also where several are served at once. */
    default String getXrayTraceId() {
        return null;
    }
}
