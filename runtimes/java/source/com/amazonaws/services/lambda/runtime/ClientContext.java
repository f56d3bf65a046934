package com.amazonaws.services.lambda.runtime;

import java.util.Map;

/** What the AWS Mobile SDK says of the device that it runs on. */
public interface ClientContext {
    Client getClient();

    Map<String, String> getCustom();

    Map<String, String> getEnvironment();
}
