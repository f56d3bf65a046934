# frozen_string_literal: true

module Rushlight
  # The user's method: FILENAME.METHOD, at the top level of a file, or FILENAME.CLASS.METHOD, of a class or module.
  class Handler
    def initialize(name)
      parts = name.split(".")
      unless parts.size.between?(2, 3)
        raise ArgumentError,
              "Invalid handler #{parts}, must be of form FILENAME.METHOD or FILENAME.CLASS.METHOD where FILENAME " \
              "corresponds with an existing Ruby source file FILENAME.rb, CLASS is an optional module/class namespace " \
              "and METHOD is a callable method. If using CLASS, METHOD must be a class-level method."
      end
      @file, *owner, @method = parts
      @owner = owner.first
    end

    def load
      require @file
    end

    # Methods of the top level are private methods of every object, this one too.
    def call(event:, context:)
      receiver = @owner ? Kernel.const_get(@owner) : self
      receiver.__send__(@method, event: event, context: context)
    end
  end
end
